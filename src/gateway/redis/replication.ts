import { randomBytes } from 'node:crypto';
import { isCluster, settleWithin, type Connection } from './connection.ts';

/**
 * Waits until a replica has what was written under a key before. Resolves when it has, or when there
 * is no replica to wait for; rejects when the server it was written to is no longer the one that is
 * asked: nobody knows whether what was written outlives the failover.
 */
export type Replicated = (key: string) => Promise<void>;

interface Ask {
  readonly mark: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const markForMs = 60_000;
const deadlineMs = 2_000;
// For a replica that is there and did not answer in time before.
const lookMs = 50;

/**
 * Makes it, over a connection of its own since `WAIT` blocks the one it is sent on
 * (https://redis.io/docs/latest/commands/wait/). WAIT is about the writes of its own connection, and
 * replicas take writes in order: so the caller's connection leaves a mark after what it wrote, this
 * one takes the mark away and waits for that. Where the mark is missing a failover came between.
 * Whoever asks while one is waited for shares the next. A server that had no replica when it was met,
 * or has been without one for `waitMs`, is not waited for.
 */
export const createReplication = (parts: {
  connect: () => Connection;
  /** Writes a key that lasts so long where the caller's writes go. */
  mark: (key: string, forMs: number) => Promise<unknown>;
  /** Told when the user of an ACL may not wait. */
  refused: (error: Error) => void;
  keyPrefix: string;
  waitMs: number;
}): { readonly replicated: Replicated; close(): void } => {
  const { mark, keyPrefix, waitMs } = parts;
  const connection = parts.connect();
  const cluster = isCluster(connection);
  // When no replica was seen to follow; -Infinity for a server that had none when it was met.
  let aloneSince: number | undefined;
  let waiting: Ask[] = [];
  let running = false;

  connection.on('error', () => undefined);
  connection.on('close', () => (aloneSince = undefined));
  connection.on('ready', () => {
    if (cluster) return;
    connection.info('replication').then(
      (info) => (aloneSince = replicasOf(info) === 0 ? -Infinity : undefined),
      () => undefined,
    );
  });

  /** How long to wait for a replica of the server that has just told of itself. */
  const patience = (replicas: number | undefined): number => {
    const now = performance.now();
    if (replicas !== 0) return Math.max(lookMs, waitMs - (now - (aloneSince ?? now)));
    // Each node of a Cluster has replicas of its own; its planned failover loses nothing.
    if (cluster) return 0;
    aloneSince ??= now;
    return waitMs - (now - aloneSince);
  };

  const settle = async (asks: readonly Ask[]): Promise<void> => {
    const taking = connection.pipeline();
    for (const { mark: key } of asks) taking.del(key);
    const replies = (await taking.info('replication').exec()) ?? [];
    const there = asks.filter((ask, index) => {
      const [error, taken] = replies[index] ?? [];
      if (taken !== 1) ask.reject(error ?? new Error('a failover came between'));
      return taken === 1;
    });
    const key = there[0]?.mark;
    const ms = patience(replicasOf(replies.at(-1)?.[1]));
    if (key !== undefined && ms > 0) {
      // The key says which node of a Cluster is meant.
      const wait = await connection.pipeline().exists(key).call('WAIT', 1, Math.ceil(ms)).exec();
      const [error, count] = wait?.[1] ?? [];
      if (error != null) {
        // One that may not be waited for, by its rights, is as good as none; what broke is another matter.
        if (!error.message.startsWith('NOPERM')) throw error;
        parts.refused(error);
      }
      aloneSince = Number(count) > 0 ? undefined : (aloneSince ?? performance.now());
    }
    for (const { resolve } of there) resolve();
  };

  const run = async (): Promise<void> => {
    running = true;
    for (let asks = waiting; asks.length > 0; asks = waiting) {
      const together = cluster ? asks.slice(0, 1) : asks;
      waiting = asks.slice(together.length);
      try {
        await readyWithin(connection, waitMs);
        await settleWithin(settle(together), waitMs + deadlineMs);
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    running = false;
  };

  return {
    async replicated(key) {
      // On a Cluster the mark lies where the key does: what stands in braces decides.
      const name = `${keyPrefix}mark:${randomBytes(9).toString('base64url')}${cluster ? `{${keyPrefix}${key}}` : ''}`;
      await mark(name, markForMs);
      await new Promise<void>((resolve, reject) => {
        waiting.push({ mark: name, resolve, reject });
        if (!running) void run();
      });
    },
    close() {
      connection.disconnect();
    },
  };
};

/** How many replicas a server says it has; undefined where it may not be asked. */
const replicasOf = (info: unknown): number | undefined => {
  const [, count] = /connected_slaves:(\d+)/.exec(String(info)) ?? [];
  return count === undefined ? undefined : Number(count);
};

const readyWithin = async (connection: Connection, ms: number): Promise<void> => {
  if (connection.status === 'ready') return;
  await settleWithin(new Promise<void>((resolve) => connection.once('ready', () => resolve())), ms);
};
