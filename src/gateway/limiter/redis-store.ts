import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bucketNames, type BucketName } from '../../../config/plans.ts';
import { Failure } from '../http/errors.ts';
import type { Argument } from '../redis/batch.ts';
import type { Redis } from '../redis/client.ts';
import type { ScriptPipeline } from '../redis/scripts.ts';
import type { Limits } from './limits.ts';
import { perBucket } from './limits.ts';
import type { Ask, Decision, LimiterStore, QueueTicket, UpstreamSignal } from './store.ts';

const source = readFileSync(new URL('./store.lua', import.meta.url), 'utf8');

/** Before every key of the limiter: the limits are Auth0's, whatever else the gateways of a tenant keep apart. */
export const limiterKeyPrefix = 'auth0-limits:';

/** Returns the hash tag of a tenant's keys, by its issuer. */
export const tagOf = (tenant: string): string => `{${tenant.replace(/[{}]/g, '')}}`;

// The numbers stand in the script: sent with every call and taken apart each time they cost both sides more than the decision.
const inLua = (value: unknown): string => {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null) throw new TypeError('limits are numbers');
  return `{ ${Object.entries(value)
    .map(([name, each]) => `${name} = ${inLua(each)}`)
    .join(', ')} }`;
};

/** What the store of all gateways is made of. */
export interface RedisLimiterStoreParts {
  readonly redis: Redis;
  readonly limits: Limits;
  /** The issuer: gateways for other tenants share nothing. */
  readonly tenant: string;
  /** Called before a decision about a bucket that the server has lost since this gateway last asked about it; the decision waits for it. */
  readonly onForgotten: (bucket: BucketName) => Promise<void>;
  /** Called with every decision with how many instances share the tenant. */
  readonly onCount: (instances: number) => void;
}

/**
 * The store of all gateways: one Lua call per decision, on Redis' clock. Rejects with Failure
 * `store_unavailable` when Redis is gone.
 */
export function createRedisLimiterStore(parts: RedisLimiterStoreParts): LimiterStore {
  const { redis, limits, onForgotten, onCount } = parts;
  const list = bucketNames.map((bucket) => inLua(limits[bucket])).join(', ');
  // Runs on a full Redis too: its keys are small and gone within minutes, and without them every gateway would be on its own.
  const lua = `local limits = { ${list} }\n${source}`;
  const run = redis.script(lua, {
    replies: 'bytes',
    keyPrefix: limiterKeyPrefix,
    keys: ['string', 'string', 'zset', 'zset', 'zset'],
  });
  const look = redis.script(lua, {
    replies: 'bytes',
    keyPrefix: limiterKeyPrefix,
    keys: bucketNames.map(() => 'string'),
  });
  const tag = tagOf(parts.tenant);
  const keysOf = perBucket((bucket) => ({
    tenant: `${tag}:tenant:${bucket}`,
    user: `${tag}:user:${bucket}:`,
    rest: [`${tag}:queue:${bucket}`, `${tag}:lapse:${bucket}`, `${tag}:instances`],
    number: bucketNames.indexOf(bucket) + 1,
  }));
  const instance = randomBytes(6).toString('base64url');
  const epochs = new Map<BucketName, string>();
  const relearning = new Map<BucketName, Promise<void>>();
  let sequence = 0;

  async function send(
    op: string,
    user: string,
    bucket: BucketName,
    epoch: string,
    args: readonly Argument[],
    pipeline?: ScriptPipeline,
  ): Promise<Buffer> {
    const keys = keysOf[bucket];
    const all = [keys.tenant, keys.user + user, ...keys.rest];
    const reply = await run(all, [op, keys.number, epoch, ...args], pipeline);
    if (reply instanceof Buffer && (letterOf(reply) === 'f' || reply.length > epochAt))
      return reply;
    throw noAnswer();
  }

  async function call(
    op: string,
    user: string,
    bucket: BucketName,
    args: readonly Argument[],
    pipeline?: ScriptPipeline,
  ): Promise<Buffer> {
    for (let attempt = 0; ; attempt++) {
      const epoch = attempt < 3 ? (epochs.get(bucket) ?? '') : '';
      const reply = await send(op, user, bucket, epoch, args, attempt === 0 ? pipeline : undefined);
      if (letterOf(reply) !== 'f') {
        epochs.set(bucket, reply.toString('latin1', epochAt));
        onCount(reply.readUInt32BE(1));
        return reply;
      }
      const learned =
        relearning.get(bucket) ??
        onForgotten(bucket).finally(() => {
          relearning.delete(bucket);
          epochs.delete(bucket);
        });
      relearning.set(bucket, learned);
      await learned;
    }
  }

  function read(reply: Buffer, ask: Ask, id: string): Decision {
    const [letter, level, first] = [letterOf(reply), reply.readDoubleBE(5), reply.readDoubleBE(13)];
    if (letter === 't') return { kind: 'taken', level };
    if (letter !== 'w') {
      return { kind: 'refused', level, by: letter === 'u' ? 'user' : 'tenant', retryMs: first };
    }
    const [start, leaveAt] = [reply.readDoubleBE(21), reply.readDoubleBE(29)];
    return { kind: 'wait', level, waitMs: first, ticket: { ask, id, start, leaveAt } };
  }

  return {
    async ask(ask, pipeline) {
      const id = `${String(++sequence).padStart(12, '0')}:${instance}`;
      const args = [id, ask.offset, ask.maxWaitMs];
      return read(await call('ask', ask.user, ask.bucket, args, pipeline), ask, id);
    },
    async claim({ ask, id, start, leaveAt }: QueueTicket) {
      const args = [id, ask.offset, start, leaveAt];
      return read(await call('claim', ask.user, ask.bucket, args), ask, id);
    },
    async cancel({ ask, id }) {
      await call('cancel', ask.user, ask.bucket, [id]);
    },
    async refund(user, bucket) {
      await call('refund', user, bucket, []);
    },
    async adjust(signal) {
      await call(signal.kind, 'user' in signal ? signal.user : '', signal.bucket, [
        amountOf(signal),
      ]);
    },
    async peek(user) {
      const keys = bucketNames.map((bucket) => keysOf[bucket].user + user);
      const levels = await look(keys, ['peek', 0, '']);
      if (!(levels instanceof Buffer) || levels.length !== keys.length * 8) throw noAnswer();
      return perBucket((bucket) => levels.readDoubleBE(bucketNames.indexOf(bucket) * 8));
    },
    async seed(user, bucket, level) {
      // Part of relearning itself, so it neither waits for that nor knows an epoch.
      await send('seed', user, bucket, '', [level]);
    },
  };
}

// What is no answer decides nothing: the caller goes on by itself, as when Redis is gone.
const noAnswer = (): Failure =>
  new Failure('store_unavailable', { headers: { 'Retry-After': '1' } });

const amountOf = (signal: UpstreamSignal): number => {
  if ('retryMs' in signal) return signal.retryMs;
  return 'remaining' in signal ? signal.remaining : signal.underWay;
};

// What store.lua answers: f forgotten, d done, t taken, w wait, u refused by the user's bucket, r by the tenant's.
const letterOf = (reply: Buffer): string => String.fromCharCode(reply[0] ?? 0);

// The epoch ends it, after the letter, how many instances there are, the level and three numbers.
const epochAt = 37;
