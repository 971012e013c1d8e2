import { Failure } from '../http/errors.ts';
import { isCluster, keepOpen, meansUnavailable, openConnection } from './connection.ts';
import type { RedisTls } from './connection.ts';
import { createEvaluate } from './evaluation.ts';
import { evenWhenFull } from './full.ts';
import { createSubscriber, type ChannelSubscription } from './subscriber.ts';
import { createTold, type RedisLog } from './told.ts';
import { skipped } from './packed.ts';
import { createTurn } from './turn.ts';
import type { Argument, Chain, Evaluate } from './turn.ts';
import { within } from './within.ts';

/** Runs one Lua script, which returns a function of KEYS and ARGV; the keys must share one hash tag. In a chain it rejects with `Skipped` where a script before it returned a true second value. */
export type Script = (keys: readonly string[], args: readonly Argument[], chain?: ScriptChain) => Promise<unknown>;

/** Calls of scripts that go to the server in one trip (on a Cluster one after the other), each only when the one before it did not say stop. */
export interface ScriptChain {
  readonly calls: Chain;
  /** Sends what was called with this chain. */
  send(): void;
}

/** A call of a chain was not made, since one before it made it needless. */
export class Skipped extends Error {}
// One for all: nobody reads where it came from.
const notNeeded = new Skipped('a call before it made it needless');

/** A Redis, as the rest of the gateway speaks with it; every method throws Failure `store_unavailable` when it cannot be asked. */
export interface Redis {
  /** One command, its reply as text, numbers, null and arrays of them. */
  command(name: string, ...args: Argument[]): Promise<unknown>;
  /** One command, every string of its reply as bytes. */
  commandBuffer(name: string, ...args: Argument[]): Promise<unknown>;
  /**
   * A Lua script; all calls of one turn of the event loop go to the server together. Its replies' strings are text, or bytes. It runs even when the
   * server's memory is full, unless it is one that `grows`: whose keys take more room than they had and keep it.
   */
  script(lua: string, replies?: 'text' | 'bytes', room?: 'stays' | 'grows'): Script;
  chain(): ScriptChain;
  /** Calls the listener for every message on the channel; over a connection of its own, restored after losses (messages meanwhile are lost). */
  subscribe(channel: string, listener: (message: string) => void): ChannelSubscription;
  publish(channel: string, message: string): Promise<void>;
  /** Whether commands can be sent this moment. */
  ready(): boolean;
  /** Waits for the first connection, for at most this long; false when it did not come. */
  opened(withinMs: number): Promise<boolean>;
  /** Calls the listener each time the connection comes (again), after scripts can run. */
  onReady(listener: () => void): void;
  close(): Promise<void>;
}

/** Where Redis is and how long to wait for it. */
export interface RedisOptions {
  /** See readRedisAddress for the forms. */
  url: string;
  /** Written before every key and channel; must hold no braces, or it would become the hash tag. */
  keyPrefix?: string;
  /** Every command answers or fails within this many milliseconds. */
  deadlineMs?: number;
  tls?: RedisTls;
}

/**
 * The door to Redis. Every command answers within the deadline (800 ms) or throws Failure `store_unavailable`; while the server is gone there is
 * no queue: commands wait for a reconnection under way no longer than their deadline, and fail at once when the loss has lasted longer.
 * A command that may have been sent is never sent again: repeating is the caller's choice.
 */
export function createRedis(options: RedisOptions, log: RedisLog): Redis {
  const deadlineMs = options.deadlineMs ?? 800;
  const keyPrefix = options.keyPrefix ?? 'mab:';
  let closed = false;
  const connect = () => {
    const made = openConnection({ url: options.url, keyPrefix, deadlineMs, ...(options.tls ? { tls: options.tls } : {}) });
    keepOpen(made, () => closed);
    return made;
  };
  const main = connect();
  const subscriber = createSubscriber(connect, deadlineMs, (error) => {
    const reason = error instanceof Error ? error.message : 'unknown';
    log.warn({ store: 'redis', reason }, 'a listener of a channel failed');
  });
  let lostAt: number | undefined = performance.now();
  const told = createTold(log, () => closed);
  const waiting = new Set<() => void>();
  const onReadyListeners = new Set<() => void>();

  main.on('ready', () => {
    told.reached();
    lostAt = undefined;
    for (const go of waiting) go();
    waiting.clear();
    for (const listener of onReadyListeners) listener();
  });
  for (const event of ['close', 'end'] as const) {
    main.on(event, () => {
      told.lost();
      lostAt ??= performance.now();
    });
  }
  main.on('error', (error: Error) => {
    told.failed(error, 'connection');
  });

  const unavailable = (cause: unknown) => new Failure('store_unavailable', { headers: { 'Retry-After': '1' }, cause });
  const storeError = (error: unknown): Error => {
    if (error instanceof Failure) return error;
    if (error instanceof Error && !meansUnavailable(error)) return error;
    told.failed(error, 'command');
    return unavailable(error);
  };

  async function readyWithin(ms: number): Promise<boolean> {
    if (main.status === 'ready') return true;
    if (ms <= 0 || closed) return false;
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        waiting.delete(go);
        resolve(false);
      }, ms);
      waiting.add(go);
    });
  }

  async function run<T>(send: () => Promise<T>): Promise<T> {
    let left = deadlineMs;
    if (main.status !== 'ready') {
      const began = performance.now();
      const grace = deadlineMs - (began - (lostAt ?? began));
      if (!(await readyWithin(grace))) throw unavailable(new Error('not connected to Redis'));
      left -= performance.now() - began;
    }
    try {
      return await within(send(), left);
    } catch (error) {
      throw storeError(error);
    }
  }

  const scripts = createEvaluate(main, keyPrefix);
  const evaluate: Evaluate = (...call) => run(() => scripts(...call));
  // The nodes of a Cluster take no script over keys of two slots.
  const together = !isCluster(main);
  const turns = { stays: createTurn(evenWhenFull(evaluate), together), grows: createTurn(evaluate, together, 1) };

  return {
    command: (name, ...args) => run(() => main.call(name, ...args)),
    commandBuffer: (name, ...args) => run(() => main.callBuffer(name, ...args)),
    script(lua, replies = 'text', room = 'stays') {
      const turn = turns[room];
      const script = turn.add(lua);
      const read = replies === 'bytes' ? (reply: unknown) => reply : textOf;
      return (keys, args, chain) =>
        new Promise((resolve, reject) => {
          const done = (reply: unknown): void => {
            if (reply === skipped) reject(notNeeded);
            else resolve(read(reply));
          };
          const call = { script, keys, args, done, failed: (error: unknown) => reject(storeError(error)) };
          if (chain === undefined) turn.send([call]);
          else if (room === 'stays') chain.calls.push(call);
          else throw new TypeError('a script that needs room goes in no chain');
        });
    },
    chain() {
      const calls: Chain = [];
      return { calls, send: () => turns.stays.send(calls) };
    },
    subscribe: (channel, listener) => subscriber.add(keyPrefix + channel, listener),
    async publish(channel, message) {
      await run(() => main.call('PUBLISH', keyPrefix + channel, message));
    },
    ready: () => main.status === 'ready',
    opened: readyWithin,
    onReady(listener) {
      onReadyListeners.add(listener);
      if (main.status === 'ready') listener();
    },
    close() {
      closed = true;
      main.disconnect();
      subscriber.close();
      return Promise.resolve();
    },
  };
}

const textOf = (reply: unknown): unknown => {
  if (reply instanceof Uint8Array) return reply.toString();
  return Array.isArray(reply) ? reply.map(textOf) : reply;
};
