import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CostClass } from '../../../config/plans.ts';
import type { Redis, ScriptChain } from '../redis/client.ts';
import type { Argument } from '../redis/turn.ts';
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
  const run = redis.script(`local limits = ${inLua(limits)}\n${source}`);
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
    chain?: ScriptChain,
  ): Promise<string[]> {
    const keys = ['{budget}:tenant', `{budget}:user:${user}`, `{budget}:line:${cost}`, `{budget}:lapse:${cost}`, GATEWAYS_KEY];
    const reply = await run(keys, [op, cost, known, ...args], chain);
    return (reply as unknown[]).map(String);
  }

  async function call(op: string, user: string, cost: CostClass, args: Argument[], chain?: ScriptChain): Promise<string[]> {
    for (let attempt = 0; ; attempt++) {
      const reply = await send(op, user, cost, attempt < 3 ? epoch : '', args, attempt === 0 ? chain : undefined);
      if (reply[0] !== 'forgotten') {
        epoch = reply[1] ?? '';
        onCount(Number(reply[2]));
        return reply;
      }
      relearning ??= onForgotten().finally(() => {
        relearning = undefined;
        epoch = '';
      });
      await relearning;
    }
  }

  function read(reply: readonly string[], ask: Ask, id: string): Answer {
    const [kind, , , , , , first = '', second = '', third = ''] = reply;
    const levels = levelsOf(reply);
    if (kind === 'taken') return { kind, levels, start: Number(first) };
    if (kind === 'refused') return { kind, levels, by: first === 'user' ? 'user' : 'tenant', retryMs: Number(second) };
    return { kind: 'wait', levels, waitMs: Number(first), ticket: { ask, id, start: Number(second), leaveAt: Number(third) } };
  }

  function teach(lesson: Lesson): Promise<string[]> {
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

function levelsOf(reply: readonly string[]): Levels {
  const [, , , read, write, filtered] = reply.map(Number);
  return { read: read ?? 0, write: write ?? 0, filtered: filtered ?? 0 };
}
