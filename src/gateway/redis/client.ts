import { Failure } from '../http/errors.ts';
import { readRedisAddress } from './address.ts';
import { createBatch, type Argument } from './batch.ts';
import {
  createScriptRunner,
  isCluster,
  keepOpen,
  meansUnavailable,
  openConnection,
  sendCommand,
  settleWithin,
} from './connection.ts';
import type { RedisTls } from './connection.ts';
import { createReplication } from './replication.ts';
import { createScripts, type Script, type ScriptOptions, type ScriptPipeline } from './scripts.ts';
import { createSubscriber, type ChannelSubscription } from './subscriber.ts';
import { createDiagnostics, type RedisLog } from './diagnostics.ts';

/** A Redis, as the rest of the gateway speaks with it; every method throws Failure `store_unavailable` when it cannot be asked. */
export interface Redis {
  /** One command, its reply as text, numbers, null and arrays of them. */
  command(name: string, ...args: Argument[]): Promise<unknown>;
  /** One command, every string of its reply as bytes. */
  commandBuffer(name: string, ...args: Argument[]): Promise<unknown>;
  /** A Lua script; all calls of one turn of the event loop go to the server together. */
  script(lua: string, options?: ScriptOptions): Script;
  pipeline(): ScriptPipeline;
  /** Calls the listener for every message on the channel; over a connection of its own, restored after losses (messages meanwhile are lost). */
  subscribe(channel: string, listener: (message: string) => void): ChannelSubscription;
  publish(channel: string, message: string): Promise<void>;
  /**
   * Waits until a replica has what was written under this key before, for `waitMs` at most; resolves
   * too where there is none. Rejects `store_unavailable` when a failover came between: nobody knows
   * whether what was written is still there.
   */
  replicated(key: string): Promise<void>;
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
  /** How long `replicated` waits; 0: not at all. 3,000 unless given with Sentinel and Cluster, else 0. */
  waitMs?: number | undefined;
}

const waitMsOf = (url: string): number =>
  ['sentinel', 'cluster'].includes(readRedisAddress(url).kind) ? 3_000 : 0;

/**
 * The door to Redis. Every command answers within the deadline (800 ms) or throws Failure `store_unavailable`; while the server is gone there is
 * no queue: commands wait for a reconnection under way no longer than their deadline, and fail at once when the loss has lasted longer.
 * A command that may have been sent is never sent again: repeating is the caller's choice.
 */
export function createRedis(options: RedisOptions, log: RedisLog): Redis {
  const deadlineMs = options.deadlineMs ?? 800;
  const keyPrefix = options.keyPrefix ?? 'mab:';
  let closed = false;
  const connect = (answersWithin = deadlineMs) => {
    const made = openConnection({
      url: options.url,
      deadlineMs: answersWithin,
      ...(options.tls ? { tls: options.tls } : {}),
    });
    keepOpen(made, () => closed);
    return made;
  };
  const main = connect();
  const subscriber = createSubscriber(
    () => connect(),
    deadlineMs,
    (error) => {
      const reason = error instanceof Error ? error.message : 'unknown';
      log.warn({ store: 'redis', reason }, 'a listener of a channel failed');
    },
  );
  let lostAt: number | undefined = performance.now();
  const diagnostics = createDiagnostics(log, () => closed);
  const waiting = new Set<() => void>();
  const onReadyListeners = new Set<() => void>();

  main.on('ready', () => {
    diagnostics.reached();
    lostAt = undefined;
    for (const go of waiting) go();
    waiting.clear();
    for (const listener of onReadyListeners) listener();
  });
  for (const event of ['close', 'end'] as const) {
    main.on(event, () => {
      diagnostics.lost();
      lostAt ??= performance.now();
    });
  }
  main.on('error', (error: Error) => {
    diagnostics.failed(error, 'connection');
  });

  const unavailable = (cause: unknown) =>
    new Failure('store_unavailable', { headers: { 'Retry-After': '1' }, cause });
  const storeError = (error: unknown): Error => {
    if (error instanceof Failure) return error;
    if (error instanceof Error && !meansUnavailable(error)) return error;
    diagnostics.failed(error, 'command');
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
      return await settleWithin(send(), left);
    } catch (error) {
      throw storeError(error);
    }
  }

  const batchOf = (allowOom: boolean) => {
    const runScripts = createScriptRunner(main, { allowOom });
    return createBatch((...call) => run(() => runScripts(...call)), !isCluster(main));
  };
  const evenWhenFull = batchOf(true);
  const scripts = createScripts({
    evenWhenFull,
    notWhenFull: batchOf(false),
    keyPrefix,
    storeError,
  });

  const waitMs = options.waitMs ?? waitMsOf(options.url);
  const markScript = evenWhenFull.add({ lua: markLua, keys: ['string'] });
  const mark = async (key: string, forMs: number): Promise<unknown> =>
    new Promise((done, failed) =>
      evenWhenFull.send([{ script: markScript, keys: [key], args: [forMs], done, failed }]),
    );
  const replication =
    waitMs === 0
      ? undefined
      : createReplication({
          ...{ connect: () => connect(waitMs + deadlineMs), mark, keyPrefix, waitMs },
          refused: (error) => diagnostics.failed(error, 'command'),
        });

  return {
    command: (name, ...args) => run(() => sendCommand(main, keyPrefix, 'text', name, args)),
    commandBuffer: (name, ...args) => run(() => sendCommand(main, keyPrefix, 'bytes', name, args)),
    ...scripts,
    subscribe: (channel, listener) => subscriber.add(keyPrefix + channel, listener),
    async publish(channel, message) {
      await run(() => main.publish(keyPrefix + channel, message));
    },
    async replicated(key) {
      await replication?.replicated(key).catch((error: unknown) => {
        throw unavailable(error);
      });
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
      replication?.close();
      return Promise.resolve();
    },
  };
}

const markLua = `return function(KEYS, ARGV) redis.call('SET', KEYS[1], '', 'PX', ARGV[1]) return 1 end`;

/** Whether a failure says that Redis had no memory for what was to be written. */
export const meansOutOfMemory = (failure: unknown): boolean =>
  failure instanceof Failure &&
  failure.cause instanceof Error &&
  failure.cause.message.startsWith('OOM');
