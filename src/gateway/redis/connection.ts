import { Cluster, Command, Redis } from 'ioredis';
import type { CommonRedisOptions, Result } from 'ioredis';
import { readRedisAddress } from './address.ts';

type ScriptCommand<Reply> = (
  keyCount: number,
  keys: readonly string[],
  args: readonly (string | Buffer | number)[],
) => Reply;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** The batch of scripts as `createScriptRunner` defined it, its replies as bytes. */
    batchBuffer: ScriptCommand<Result<unknown, Context>>;
    batchEvenWhenFullBuffer: ScriptCommand<Result<unknown, Context>>;
  }
}

/** Whom a rediss:// address is believed by, beside the authorities Node knows (PEM). */
export interface RedisTls {
  ca?: string;
}

/** What a connection is opened with. */
export interface ConnectionOptions {
  url: string;
  deadlineMs: number;
  tls?: RedisTls;
}

/** One server, or a Cluster that behaves as one. */
export type Connection = Redis | Cluster;

/** Whether a connection is to a Cluster, whose nodes take no script over keys of two slots. */
export const isCluster = (connection: Connection): boolean => connection instanceof Cluster;

// A failover takes two seconds: whoever waits longer than half a second between attempts makes users wait for nothing.
const backOff = (attempt: number): number =>
  Math.min(50 * 2 ** Math.min(attempt, 6), 500) * (0.75 + Math.random() / 2);

// Once in two seconds: where a replica was given by mistake, a reconnection for every refused write would be a storm.
const createLeave = (): ((error: Error) => boolean) => {
  let leftAt = -Infinity;
  return ({ message }) => {
    if (!message.startsWith('READONLY') || performance.now() - leftAt < 2_000) return false;
    leftAt = performance.now();
    return true;
  };
};

/**
 * Opens what the address names: one server, the primary a set of Sentinels agrees on, or a Cluster. It reconnects for ever with back-off (50 ms to 500 ms),
 * keeps no queue while it is not connected, and never sends a command a second time by itself.
 */
export function openConnection(options: ConnectionOptions): Connection {
  const address = readRedisAddress(options.url);
  const { username, password } = address;
  const tls = address.tls ? { tls: { ...options.tls } } : {};
  const common = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    connectTimeout: 2_000,
    // A server that takes commands and answers nothing is gone, whatever its socket says.
    socketTimeout: options.deadlineMs * 2,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a failover the old primary refuses writes: leave it, the address now means another server.
    reconnectOnError: createLeave(),
    disableClientInfo: true,
  } satisfies CommonRedisOptions;
  if (address.kind === 'cluster') {
    return new Cluster(address.nodes, {
      // Six tries 100 ms apart end before the caller's deadline: nothing is done long after it was given up.
      maxRedirections: 6,
      enableOfflineQueue: false,
      clusterRetryStrategy: backOff,
      slotsRefreshTimeout: 2_000,
      // Certificates are made out to the names in the address, so these are not resolved before connecting.
      ...(address.tls
        ? {
            dnsLookup: (name, found) => {
              found(null, name);
            },
          }
        : {}),
      redisOptions: { ...common, ...tls },
    });
  }
  const single = {
    ...common,
    ...tls,
    db: address.db,
    enableOfflineQueue: false,
    retryStrategy: backOff,
  };
  if (address.kind === 'socket') return new Redis({ ...single, path: address.path });
  if (address.kind === 'single') return new Redis({ ...single, ...address.endpoint });
  return new Redis({
    ...single,
    sentinels: address.sentinels,
    name: address.name,
    sentinelRetryStrategy: backOff,
    sentinelCommandTimeout: 1_000,
    failoverDetector: true,
    ...(address.tls ? { sentinelTLS: tls.tls ?? {}, enableTLSForSentinelMode: true } : {}),
    ...(address.sentinelUsername === undefined
      ? {}
      : { sentinelUsername: address.sentinelUsername }),
    ...(address.sentinelPassword === undefined
      ? {}
      : { sentinelPassword: address.sentinelPassword }),
  });
}

/**
 * Begins anew whenever a connection has given itself up, until `closed` says it was meant. ioredis does so when the Sentinels tell of a new
 * primary in the very moment it asks them for one: nothing would ever connect it again.
 */
export function keepOpen(connection: Connection, closed: () => boolean): void {
  connection.on('end', () => {
    if (closed()) return;
    setTimeout(() => {
      if (!closed() && connection.status === 'end')
        void connection.connect().catch(() => undefined);
    }, backOff(1)).unref();
  });
}

// Replies that mean the caller did something wrong; every other failure means the store cannot serve now.
const OURS = /^(ERR|WRONGTYPE|NOSCRIPT|CROSSSLOT|EXECABORT|BUSYKEY|BUSYGROUP)\b/;

/** Whether an error says that the store cannot serve at present (gone, loading, out of memory, read-only, hung), and not that the command was wrong. */
export function meansUnavailable(error: unknown): boolean {
  return !(error instanceof Error && error.name === 'ReplyError' && OURS.test(error.message));
}

/**
 * Sends one command with the prefix before each of its keys, which ioredis knows by the command.
 * Strings of the reply are text, or bytes.
 */
export const sendCommand = (
  connection: Connection,
  keyPrefix: string,
  replies: 'text' | 'bytes',
  name: string,
  args: readonly (string | Buffer | number)[],
): Promise<unknown> =>
  connection.sendCommand(
    new Command(name, [...args], { keyPrefix, replyEncoding: replies === 'text' ? 'utf8' : null }),
  ) as Promise<unknown>;

/** Runs Lua with keys and arguments; strings of its reply are bytes, errors within it are values. */
export type ScriptRunner = (
  lua: string,
  keys: readonly string[],
  args: readonly (string | Buffer | number)[],
) => Promise<unknown>;

/** The part of a connection that scripts need. */
export type ScriptConnection = Pick<
  Redis,
  'defineCommand' | 'batchBuffer' | 'batchEvenWhenFullBuffer'
>;

/**
 * Runs scripts as ioredis does: by their digest, whole where a server does not know it. With
 * `allowOom` they run even when Redis has reached its `maxmemory`, which is right for what takes no
 * more room than it had or gives it back soon. A Redis older than 7.0 does not know such scripts;
 * there it runs without that right, and its writes are refused while memory is full.
 */
export function createScriptRunner(
  connection: ScriptConnection,
  { allowOom }: { allowOom: boolean },
): ScriptRunner {
  let flagged = allowOom;
  let defined: string | undefined;
  const define = (lua: string): void => {
    if (flagged) {
      connection.defineCommand('batchEvenWhenFull', { lua: `#!lua flags=allow-oom\n${lua}` });
    } else connection.defineCommand('batch', { lua });
    defined = lua;
  };
  return async function run(lua, keys, args) {
    if (defined !== lua) define(lua);
    if (!flagged) return connection.batchBuffer(keys.length, keys, args);
    try {
      return await connection.batchEvenWhenFullBuffer(keys.length, keys, args);
    } catch (error) {
      if (!(error instanceof Error && /compiling script.*'#'/.test(error.message))) throw error;
      flagged = false;
      defined = undefined;
      return run(lua, keys, args);
    }
  };
}

/** Resolves as the promise does, or rejects as a command that timed out after so many milliseconds. */
export const settleWithin = <T>(promise: Promise<T>, ms: number): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error('Command timed out'));
    }, ms);
    const settle = (): void => {
      clearTimeout(timer);
      resolve(promise);
    };
    promise.then(settle, settle);
  });
