import { Agent, get } from 'node:http';
import type { Gate } from './contenders.ts';
import type { Upstream } from './upstream.ts';

/** What became of one request; times in ms since the load began. */
export interface Fate {
  readonly user: string;
  readonly askedAt: number;
  readonly waitedMs: number;
  readonly sentAt: number;
  readonly outcome: 'served' | 'limited' | 'refused' | 'failed';
}

/** Who asks next: how long after the one before (ms), and which user. */
export type Source = () => { gapMs: number; user: string };

/** Requests at random moments, `perSecond` of them on average; users are drawn by `pick`. The same seed gives the same load to every contender. */
export function poisson(
  perSecond: number,
  pick: (random: () => number) => string,
  seed = 1,
): Source {
  const random = mulberry(seed);
  return () => ({ gapMs: (-Math.log(1 - random()) / perSecond) * 1_000, user: pick(random) });
}

/** Sends the load to the gates in turn and what they admit to the upstream, for so many ms; then waits for what is under way. */
export async function drive(
  gates: readonly Gate[],
  upstream: Upstream,
  source: Source,
  forMs: number,
): Promise<Fate[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const began = performance.now();
  const since = () => performance.now() - began;
  const under: Promise<Fate>[] = [];

  async function one(gate: Gate, user: string): Promise<Fate> {
    const askedAt = since();
    let sentAt = askedAt;
    try {
      const admitted = await gate.admit(user);
      sentAt = since();
      const waitedMs = sentAt - askedAt;
      if (!admitted) return { user, askedAt, waitedMs, sentAt, outcome: 'refused' };
      const { status, headers } = await call(upstream.url, user, agent);
      gate.told?.(user, status, headers);
      return { user, askedAt, waitedMs, sentAt, outcome: status === 200 ? 'served' : 'limited' };
    } catch {
      return { user, askedAt, waitedMs: since() - askedAt, sentAt, outcome: 'failed' };
    }
  }

  let next = source();
  let due = next.gapMs;
  for (let turn = 0; due < forMs;) {
    const early = due - since();
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
    while (due <= since() && due < forMs) {
      const gate = gates[turn++ % gates.length];
      if (gate) under.push(one(gate, next.user));
      next = source();
      due += next.gapMs;
    }
  }
  const fates = await Promise.all(under);
  agent.destroy();
  return fates;
}

function call(
  url: string,
  user: string,
  agent: Agent,
): Promise<{ status: number; headers: Record<string, string | string[] | undefined> }> {
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: { user } }, (res) => {
      res.resume();
      res.once('end', () => {
        resolve({ status: res.statusCode ?? 0, headers: res.headers });
      });
    }).once('error', reject);
  });
}

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
