import { Failure } from '../http/errors.ts';
import type { Redis } from './client.ts';
import { remedyOf, type RedisLog } from './diagnostics.ts';

/** Something about a Redis that its operator should know; `fatal` when the gateway cannot work with it at all. */
export interface Finding {
  readonly fatal: boolean;
  readonly text: string;
}

const oldest = 7;
const askAgainMs = 1_000;

/** Looks at the server's own account of itself (INFO); finds nothing where the user may not ask for it. Throws Failure `store_unavailable`. */
export async function examineRedis(redis: Redis): Promise<readonly Finding[]> {
  const text = String(
    await redis.command('INFO').catch((error: unknown) => {
      // Managed servers forbid it to some: that is no fault of the server.
      if (
        error instanceof Failure &&
        !(error.cause instanceof Error && error.cause.message.startsWith('NOPERM'))
      )
        throw error;
      return '';
    }),
  );
  const facts = new Map(
    text.split('\r\n').flatMap((line) => {
      const [name = '', value] = line.split(/:(.*)/s);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  const found: Finding[] = [];
  if (facts.get('role') === 'slave') found.push({ fatal: true, text: remedyOf('READONLY') ?? '' });
  const policy = facts.get('maxmemory_policy') ?? 'noeviction';
  if (policy !== 'noeviction' && facts.get('maxmemory') !== '0') {
    const why = `maxmemory-policy is ${policy}: when memory is full, sessions are evicted and their users signed out; set it to noeviction`;
    found.push({ fatal: false, text: why });
  }
  const version = facts.get('redis_version') ?? '';
  if (Number(version.split('.')[0] || oldest) < oldest) {
    const why = `Redis ${version} is older than 7.0: when its memory is full, sessions whose access token ends cannot go on`;
    found.push({ fatal: false, text: why });
  }
  return found;
}

/** Watches over a Redis: says once what its operator should know, and knows whether requests can be served from it. */
export function watchHealth(redis: Redis, log: RedisLog): { serves(): Promise<boolean> } {
  const told = new Set<string>();
  const look = async (): Promise<boolean> => {
    const found = await examineRedis(redis);
    for (const { text } of found.filter((each) => !told.has(each.text))) {
      told.add(text);
      log.warn({ store: 'redis' }, text);
    }
    return found.every(({ fatal }) => !fatal);
  };
  let latest: { readonly at: number; readonly serves: Promise<boolean> } | undefined;
  redis.onReady(() => void look().catch(() => undefined));
  return {
    async serves() {
      if (!redis.ready()) return false;
      const now = performance.now();
      // Anybody may ask whether the gateway is ready; Redis is asked once a second.
      if (latest === undefined || now - latest.at > askAgainMs)
        latest = { at: now, serves: look().catch(() => false) };
      return latest.serves;
    },
  };
}
