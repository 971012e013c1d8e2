import { RedisCommand } from './connection.ts';
import type { Argument, Evaluate } from './turn.ts';

const part = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/**
 * EVAL or EVALSHA as ioredis sends it, with the prefix before each key. ioredis copies a command's arguments four times before it writes them, and looks
 * up which of them are keys; here they are written once. And it gives every command a function of its own, which V8 makes where only a full collection
 * looks for garbage: all that can still be reached from there outlives its request, and it was most of what did. So one that is over holds nothing.
 */
class Evaluation extends RedisCommand {
  #keys: readonly string[];
  #args: readonly Argument[];
  readonly #script: string;
  #reply: unknown;

  constructor(name: 'eval' | 'evalsha', script: string, prefix: string, keys: readonly string[], args: readonly Argument[]) {
    super(name, [], { replyEncoding: null });
    this.#script = script;
    this.#keys = keys.map((key) => prefix + key);
    this.#args = args;
  }

  /** For a Cluster: it sends to whoever has the first. */
  override getKeys(): string[] {
    return [...this.#keys];
  }

  /** The command in RESP, as bytes when one of its arguments is. */
  override toWritable(): string | Buffer {
    let text = `*${3 + this.#keys.length + this.#args.length}\r\n${part(this.name)}${part(this.#script)}${part(String(this.#keys.length))}`;
    for (const key of this.#keys) text += part(key);
    const pieces: Buffer[] = [];
    for (const arg of this.#args) {
      if (typeof arg === 'object') {
        pieces.push(Buffer.from(`${text}$${arg.length}\r\n`), arg);
        text = '\r\n';
      } else text += part(typeof arg === 'number' ? String(arg) : arg);
    }
    return pieces.length === 0 ? text : Buffer.concat([...pieces, Buffer.from(text)]);
  }

  override transformReply(reply: Buffer | Buffer[]): Buffer {
    this.#reply = reply;
    return Buffer.of();
  }

  /** Once it has been answered: what came, for the first who asks. */
  take(): unknown {
    const reply = this.#reply;
    this.empty();
    return reply;
  }

  /** Lets go of all it holds. */
  empty(): void {
    this.#reply = undefined;
    this.#keys = [];
    this.#args = [];
  }
}

/** Runs scripts over a connection. */
export const createEvaluate = (connection: { sendCommand(command: RedisCommand): unknown }, prefix: string): Evaluate => {
  const asked = async (command: Evaluation): Promise<unknown> => {
    try {
      await connection.sendCommand(command);
      return command.take();
    } finally {
      command.empty();
    }
  };
  return async (lua, digest, keys, args) => {
    try {
      return await asked(new Evaluation('evalsha', digest, prefix, keys, args));
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return asked(new Evaluation('eval', lua, prefix, keys, args));
    }
  };
};
