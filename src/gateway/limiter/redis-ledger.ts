import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CostClass } from '../../../config/plans.ts';
import { Failure } from '../http/errors.ts';
import type { Redis, ScriptPipeline } from '../redis/client.ts';
import type { Argument } from '../redis/batch.ts';
import { GATEWAYS_KEY } from './gateways.ts';
import type { Answer, Ask, Ledger, Lesson, Levels, Ticket } from './ledger.ts';
import type { Limits } from './limits.ts';

const source = readFileSync(new URL('./budget.lua', import.meta.url), 'utf8');

// The numbers stand in the script: sent with every call and taken apart each time they cost both sides more than the decision.
const inLua = (value: unknown): string => {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null) throw new TypeError('limits are numbers');
  return `{ ${Object.entries(value)
    .map(([name, each]) => `['${name}'] = ${inLua(each)}`)
    .join(', ')} }`;
};

/**
 * The ledger of all gateways: one Lua call per decision, on Redis' clock. `onForgotten` is called before a decision on a server that has lost its data
 * since this gateway last spoke with it; the decision is made after it has finished.
 * `onCount` is told with every decision how many gateways share the server. Throws Failure `store_unavailable` when Redis is gone.
 */
export function createRedisLedger(
  redis: Redis,
  limits: Limits,
  onForgotten: () => Promise<void>,
  onCount: (gateways: number) => void,
): Ledger {
  // Runs on a full Redis too: its keys are small and gone within minutes, and without them every gateway would be on its own.
  const run = redis.script(`local limits = ${inLua(limits)}\n${source}`, {
    replies: 'bytes',
    keys: ['string', 'string', 'zset', 'zset', 'zset'],
  });
  const gateway = randomBytes(6).toString('base64url');
  let sequence = 0;
  let epoch = '';
  let relearning: Promise<void> | undefined;

  async function send(
    op: string,
    user: string,
    cost: CostClass,
    known: string,
    args: readonly Argument[],
    chain?: ScriptPipeline,
  ): Promise<Buffer> {
    const keys = ['{budget}:tenant', `{budget}:user:${user}`, `{budget}:line:${cost}`, `{budget}:lapse:${cost}`, GATEWAYS_KEY];
    const reply = await run(keys, [op, cost, known, ...args], chain);
    // What is no answer decides nothing: the caller goes on alone, as when Redis is gone.
    if (reply instanceof Buffer && (letterOf(reply) === 'f' || reply.length > epochAt)) return reply;
    throw new Failure('store_unavailable', { headers: { 'Retry-After': '1' } });
  }

  async function call(op: string, user: string, cost: CostClass, args: Argument[], chain?: ScriptPipeline): Promise<Buffer> {
    for (let attempt = 0; ; attempt++) {
      const reply = await send(op, user, cost, attempt < 3 ? epoch : '', args, attempt === 0 ? chain : undefined);
      if (letterOf(reply) !== 'f') {
        epoch = reply.toString('latin1', epochAt);
        onCount(reply.readUInt32BE(1));
        return reply;
      }
      relearning ??= onForgotten().finally(() => {
        relearning = undefined;
        epoch = '';
      });
      await relearning;
    }
  }

  function read(reply: Buffer, ask: Ask, id: string): Answer {
    const [letter, levels, first] = [letterOf(reply), levelsOf(reply), reply.readDoubleBE(29)];
    if (letter === 't') return { kind: 'taken', levels, start: first };
    if (letter !== 'w') return { kind: 'refused', levels, by: letter === 'u' ? 'user' : 'tenant', retryMs: first };
    return { kind: 'wait', levels, waitMs: first, ticket: { ask, id, start: reply.readDoubleBE(37), leaveAt: reply.readDoubleBE(45) } };
  }

  function teach(lesson: Lesson): Promise<Buffer> {
    if (lesson.kind === 'tenant-limited') return call(lesson.kind, '', lesson.cost, [lesson.retryMs]);
    if (lesson.kind === 'tenant-low') return call(lesson.kind, '', lesson.cost, [lesson.remaining]);
    if (lesson.kind === 'user-limited') return call(lesson.kind, lesson.user, lesson.cost, [lesson.retryMs]);
    return call(lesson.kind, lesson.user, lesson.cost, [lesson.remaining]);
  }

  return {
    async ask(ask, chain) {
      const id = `${String(++sequence).padStart(12, '0')}:${gateway}`;
      return read(await call('ask', ask.user, ask.cost, [id, ask.offset, ask.maxWaitMs], chain), ask, id);
    },
    async claim({ ask, id, start, leaveAt }: Ticket) {
      return read(await call('claim', ask.user, ask.cost, [id, ask.offset, start, leaveAt]), ask, id);
    },
    async leave({ ask, id }) {
      await call('leave', ask.user, ask.cost, [id]);
    },
    async giveBack(user, cost) {
      await call('give-back', user, cost, []);
    },
    async learn(lesson) {
      await teach(lesson);
    },
    async peek(user) {
      return levelsOf(await call('peek', user, 'read', []));
    },
    async remember(user, { read: reads, write, filtered }) {
      // Part of relearning itself, so it neither waits for that nor knows an epoch.
      await send('remember', user, 'read', '', [reads, write, filtered]);
    },
  };
}

// What budget.lua answers: f forgotten, d done, t taken, w wait, u refused by the user's bucket, r by the tenant's.
const letterOf = (reply: Buffer): string => String.fromCharCode(reply[0] ?? 0);

// The epoch ends it, after the letter, how many gateways there are, three levels and three numbers.
const epochAt = 53;

const levelsOf = (reply: Buffer): Levels => ({
  read: reply.readDoubleBE(5),
  write: reply.readDoubleBE(13),
  filtered: reply.readDoubleBE(21),
});
