import { afterEach, describe, expect, test } from '@jest/globals';
import { createLimiter } from '../../src/gateway/limiter/limiter.ts';
import { createRedis } from '../../src/gateway/redis/client.ts';
import type { Redis } from '../../src/gateway/redis/client.ts';
import { createEvents } from '../../src/gateway/session/events.ts';
import { createUserSessions } from '../../src/gateway/session/user-sessions.ts';
import { createRedisStore } from '../../src/gateway/session/redis-store.ts';
import { createSeal } from '../../src/gateway/session/seal.ts';
import { createSessions } from '../../src/gateway/session/sessions.ts';
import { newTicket, readTicket } from '../../src/gateway/session/ticket.ts';
import { certificate } from '../helpers/certificate.ts';
import { startCluster, startSentinels, startTlsRedis } from '../helpers/redis-lab.ts';
import { until } from '../helpers/until.ts';
import { startRedis } from '../helpers/redis.ts';
import type { RedisServer } from '../helpers/redis.ts';

const quiet = { info: () => undefined, warn: () => undefined };
const toEnd: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
});
const server = async (flags: string[] = [], configuration: string[] = []): Promise<RedisServer> => {
  const started = await startRedis(flags, configuration);
  toEnd.push(() => started.stop());
  return started;
};
const connect = (url: string, more: Partial<Parameters<typeof createRedis>[0]> = {}): Redis => {
  const redis = createRedis({ url, ...more }, quiet);
  toEnd.push(() => redis.close());
  return redis;
};
describe('Redis as it is run', () => {
  test('Sentinels: after the primary dies the gateway finds the new one by itself', async () => {
    const lab = await startSentinels();
    toEnd.push(lab.stop);
    const redis = connect(lab.url);
    await redis.command('SET', 'kept', 'yes');
    await lab.primary.stop();
    expect(await until(async () => (await redis.command('SET', 'after', 'yes')) === 'OK')).toBe(
      true,
    );
    expect(await redis.command('GET', 'kept')).toBe('yes');
  });

  test('a Cluster: commands, scripts over one hash tag, messages, sessions that end wherever their keys lie, and the budget', async () => {
    const lab = await startCluster();
    toEnd.push(lab.stop);
    const redis = connect(lab.url);
    expect(await redis.opened(60_000)).toBe(true);
    for (let turn = 0; turn < 20; turn++) await redis.command('SET', `key ${String(turn)}`, turn);
    await expect(redis.command('GET', 'key 7')).resolves.toBe('7');
    await expect(
      redis.script('return function(KEYS, ARGV) return redis.call("GET", KEYS[1]) end')(
        ['key 9'],
        [],
      ),
    ).resolves.toBe('9');
    const heard: string[] = [];
    await redis.subscribe('news', (message) => heard.push(message)).ready;
    expect(
      await until(async () => {
        await redis.publish('news', 'hello');
        return heard.includes('hello');
      }, 5_000),
    ).toBe(true);
    const store = createRedisStore(redis);
    const listSeal = createSeal(['s'.repeat(32)], 'session list');
    const common = {
      store,
      listSeal,
      issuer: 'https://t.example/',
      idleMs: 60_000,
      events: createEvents(redis),
    };
    const sessions = createSessions({
      ...common,
      seal: createSeal(['s'.repeat(32)], 'session'),
      absoluteMs: 60_000,
    });
    const begun = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const cookie = newTicket();
        await sessions.begin(
          cookie,
          () => ({ sub: 'one', sid: `sid ${i % 2}`, idToken: 'a.b.c', tokens: [] }),
          {},
        );
        return readTicket(cookie);
      }),
    );
    const alive = async () =>
      (await Promise.all(begun.map(async (ticket) => sessions.find(ticket, true)))).filter(Boolean)
        .length;
    const list = createUserSessions(common);
    expect(await list.endNamed({ sid: 'sid 0' })).toEqual({ known: true, ended: 15 });
    expect(await alive()).toBe(15);
    expect(await list.endNamed({ sub: 'one' })).toEqual({ known: true, ended: 15 });
    expect(await alive()).toBe(0);
    const limiter = createLimiter({ tenant: 'https://t.example/', plan: 'enterprise' }, redis);
    toEnd.push(() => limiter.close());
    expect(
      (await limiter.take({ user: 'ann', bucket: 'authentication_methods_read' })).quota.remaining,
    ).toBe(4);
  });

  test('a password is given, and a wrong one is a store that cannot serve', async () => {
    const { port } = await server(['--requirepass', 'open sesame']);
    await expect(connect(`redis://:open%20sesame@127.0.0.1:${port}`).command('PING')).resolves.toBe(
      'PONG',
    );
    await expect(connect(`redis://:wrong@127.0.0.1:${port}`).command('PING')).rejects.toMatchObject(
      { code: 'store_unavailable' },
    );
  });

  test('a read-only replica cannot serve', async () => {
    const primary = await server();
    const replica = await server(['--replicaof', '127.0.0.1', String(primary.port)]);
    await expect(connect(replica.url).command('SET', 'key', 'x')).rejects.toMatchObject({
      code: 'store_unavailable',
    });
  });

  test('TLS: the certificate is checked', async () => {
    const { url, stop } = await startTlsRedis();
    toEnd.push(stop);
    await expect(connect(url, { tls: { ca: certificate.cert } }).command('PING')).resolves.toBe(
      'PONG',
    );
    await expect(connect(url).command('PING')).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
