import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import request from 'supertest';
import { createLog } from '../../src/gateway/http/log.ts';
import { createRedis } from '../../src/gateway/redis/client.ts';
import type { Redis } from '../../src/gateway/redis/client.ts';
import { withClock } from '../helpers/redis-clock.ts';
import { startRedis } from '../helpers/redis.ts';
import type { RedisServer } from '../helpers/redis.ts';
import { memoryStores, redisStores, startCachedApi } from '../helpers/cached-api.ts';
import type { Stores } from '../helpers/cached-api.ts';
import { until } from '../helpers/until.ts';

/** How time passes for the stores of a test that hands them a clock. */
let pass: (ms: number) => Promise<void>;
const clockedMemory = (): Stores => {
  let now = Date.now();
  pass = (ms) => {
    now += ms;
    return Promise.resolve();
  };
  return memoryStores(() => now);
};
const clockedRedis = async (): Promise<Stores> => {
  await redis.command('FLUSHALL');
  const clock = withClock(redis);
  await clock.set(Date.now());
  pass = clock.pass;
  return redisStores(clock.redis);
};

const list = '/api/me/v1/authentication-methods';
const one = (id: string): string => `${list}/${encodeURIComponent(id)}`;
type Keeping = Awaited<ReturnType<typeof startCachedApi>>;

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = createRedis({ url: server.url, keyPrefix: '' }, createLog({ level: 'silent' }));
  await redis.opened(60_000);
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

let keeping: Keeping;
afterEach(() => keeping.close());
const at = (gateway: number): string => keeping.gateways[gateway]?.origin ?? '';
const names = async (gateway: number): Promise<string[]> => {
  const { body } = (await request(at(gateway)).get(list)) as {
    body: { authentication_methods: { id: string; name?: string }[] };
  };
  return body.authentication_methods.map(({ id, name }) => `${id} ${name ?? ''}`.trim());
};

describe.each<[string, () => Promise<Stores>]>([
  ['in this process', () => Promise.resolve(clockedMemory())],
  ['in Redis', clockedRedis],
])('answers kept %s', (_where, newStore) => {
  test('serve both gateways from one read, and say so', async () => {
    keeping = await startCachedApi(await newStore());
    const first = await request(at(0)).get(list);
    expect(first.headers['cache-status']).toBe('my-account-bff; fwd=uri-miss; fwd-status=200');
    const second = await request(at(1)).get(list);
    expect(second.text).toBe(first.text);
    expect(second.headers).toMatchObject({
      age: expect.stringMatching(/^\d$/),
      'cache-control': 'no-store',
      etag: first.headers['etag'],
    });
    expect(second.headers['cache-status']).toMatch(/^my-account-bff; hit; ttl=(2\d|30)$/);
    expect(keeping.reads()).toBe(1);
  });

  test('another address is another answer', async () => {
    keeping = await startCachedApi(await newStore());
    await request(at(0)).get(list);
    await request(at(0)).get(`${list}?type=totp`);
    await request(at(0)).get(one('totp|dev_1'));
    expect(keeping.reads()).toBe(3);
  });

  test('follow verify, rename and delete without a read, and are dropped by a write that cannot be told', async () => {
    keeping = await startCachedApi(await newStore());
    await names(0);
    await request(at(0))
      .post(`${one('totp|new')}/verify`)
      .send({ auth_session: 'a' });
    expect(await names(1)).toEqual(['totp|dev_1']);
    await request(at(1)).patch(one('totp|dev_1')).send({ name: 'phone' });
    expect(await names(0)).toEqual(['totp|dev_1 phone']);
    await request(at(0)).delete(one('totp|dev_1'));
    expect(await names(1)).toEqual([]);
    expect(keeping.reads()).toBe(1);
    await request(at(0))
      .post('/api/me/v1/connected-accounts/connect')
      .send({ connection: 'x', redirect_uri: 'https://a.example/' });
    await names(1);
    expect(keeping.reads()).toBe(1);
    await request(at(0)).post(list).send({ type: 'totp' });
    await names(1);
    expect(keeping.reads()).toBe(2);
  });

  test('follow an enrolment from its beginning to its confirmation without a read, and are no answer in between', async () => {
    keeping = await startCachedApi(await newStore());
    const enrol = async (): Promise<string> => {
      const { body } = (await request(at(0))
        .post(list)
        .send({ type: 'totp', once: Math.random() })) as { body: { id: string } };
      return body.id;
    };
    const confirm = (id: string) =>
      request(at(1))
        .post(`${one(id)}/verify`)
        .send({ auth_session: id });
    await names(0);
    const first = await enrol();
    await confirm(first);
    expect(await names(1)).toEqual([first]);
    expect(keeping.reads()).toBe(1);

    keeping.state.showsBegun = true;
    const second = await enrol();
    expect(await names(1)).toEqual([first, second]);
    expect(keeping.reads()).toBe(2);
    // With an unfinished one in the list nobody but the API can tell what the next one does to it.
    const third = await enrol();
    await confirm(third);
    expect(await names(0)).toEqual([first, second, third]);
    expect(keeping.reads()).toBe(3);
  });

  test('run anew with each own write, and say how old they really are', async () => {
    keeping = await startCachedApi(await newStore(), 300_000);
    await request(at(0))
      .post(`${one('totp|new')}/verify`)
      .send({ auth_session: 'a' });
    await names(0);
    await pass(200_000);
    await request(at(1)).patch(one('totp|dev_1')).send({ name: 'phone' });
    await pass(150_000);
    const { headers, text } = await request(at(0)).get(list);
    expect(text).toContain('phone');
    expect(headers['cache-status']).toMatch(/^my-account-bff; hit; ttl=1[45]\d$/);
    expect(Number(headers['age'])).toBeGreaterThanOrEqual(350);
    expect(keeping.reads()).toBe(1);
  });

  test('stay when the API refused the write', async () => {
    keeping = await startCachedApi(await newStore());
    await names(0);
    expect((await request(at(0)).patch(one('totp|gone')).send({ name: 'x' })).status).toBe(404);
    await names(1);
    expect(keeping.reads()).toBe(1);
  });

  test('a user never sees a list older than their own last write, on any gateway, in any interleaving', async () => {
    const step = fc.record({
      gateway: fc.nat(1),
      what: fc.constantFrom(
        'read',
        'read',
        'again',
        'verify',
        'rename',
        'delete',
        'enrol',
        'confirm',
        'confirm',
      ),
      pause: fc.constantFrom(0, 1, 3, 6),
    });
    keeping = await startCachedApi(await newStore());
    const { state } = keeping;
    // Writes are quick and some reads slow: then a read brings what was true before a write that has ended.
    state.delayMs = (method) => Math.floor(Math.random() * (method === 'GET' ? 25 : 4));
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 8, maxLength: 24 }),
        fc.boolean(),
        async (steps, showsBegun) => {
          state.showsBegun = showsBegun;
          // One write after the other, each as soon as the one before is answered; reads at any time, on both gateways.
          let answered = 0;
          let last: Promise<unknown> = Promise.resolve();
          const write = async (gateway: number, what: string, i: number): Promise<void> => {
            const origin = at(gateway);
            const some = state.methods[i % Math.max(1, state.methods.length)]?.id ?? 'totp|none';
            const own = `${i}-${Math.random()}`;
            if (what === 'verify')
              await request(origin)
                .post(`${one('totp|new')}/verify`)
                .send({ auth_session: own });
            else if (what === 'rename') await request(origin).patch(one(some)).send({ name: own });
            else if (what === 'delete') await request(origin).delete(one(some));
            else if (what === 'confirm')
              await request(origin)
                .post(`${one(state.begun.at(-1) ?? 'totp|new')}/verify`)
                .send({ auth_session: own });
            else await request(origin).post(list).send({ type: own });
            answered = state.versions.length - 1;
          };
          const running = steps.map(async ({ gateway, what, pause }, i) => {
            await sleep(i * pause);
            if (what !== 'read' && what !== 'again') {
              last = last.then(() => write(gateway, what, i));
              await last;
              return;
            }
            const before = answered;
            const res = await request(at(gateway))
              .get(list)
              .set(what === 'again' ? { 'Cache-Control': 'no-cache' } : {});
            const shown = JSON.stringify(
              (res.body as { authentication_methods: unknown }).authentication_methods,
            );
            expect([res.status, res.text, state.versions.lastIndexOf(shown) >= before]).toEqual([
              200,
              res.text,
              true,
            ]);
          });
          await Promise.all(running);
          expect(await names(0)).toEqual(
            state.methods.map(({ id, name }) => `${id} ${name ?? ''}`.trim()),
          );
          expect(await names(1)).toEqual(
            state.methods.map(({ id, name }) => `${id} ${name ?? ''}`.trim()),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of two writes at the same time neither brings back what the other changed', async () => {
    keeping = await startCachedApi(await newStore());
    for (const own of ['a', 'b'])
      await request(at(0))
        .post(`${one('totp|new')}/verify`)
        .send({ auth_session: own });
    await names(0);
    keeping.state.delayMs = (method) => (method === 'PATCH' ? 80 : 0);
    const slow = request(at(0)).patch(one('totp|dev_1')).send({ name: 'phone' }).then();
    expect(await until(() => keeping.writes() === 3)).toBe(true);
    await request(at(1)).delete(one('totp|dev_2'));
    await slow;
    expect(await names(0)).toEqual(['totp|dev_1 phone']);
    expect(await names(1)).toEqual(['totp|dev_1 phone']);
  });

  test('a write of the same thing within seconds happens once, on whichever gateway it is repeated', async () => {
    keeping = await startCachedApi(await newStore());
    keeping.state.delayMs = () => 50;
    const verify = (gateway: number) =>
      request(at(gateway))
        .post(`${one('totp|new')}/verify`)
        .send({ auth_session: 'same' });
    const answers = await Promise.all([verify(0), verify(1), verify(0)]);
    expect(answers.map(({ status, text }) => `${status} ${text}`)).toEqual(
      Array(3).fill('201 {"id":"totp|dev_1","type":"totp"}'),
    );
    expect(keeping.writes()).toBe(1);
    expect((await verify(1)).headers['idempotency-replayed']).toBe('true');
    expect(keeping.writes()).toBe(1);
  });

  test('after another write the same one is a new one: a name set back is set back', async () => {
    keeping = await startCachedApi(await newStore());
    await request(at(0))
      .post(`${one('totp|new')}/verify`)
      .send({ auth_session: 'x' });
    for (const name of ['a', 'b', 'a'])
      await request(at(0)).patch(one('totp|dev_1')).send({ name });
    expect(await names(1)).toEqual(['totp|dev_1 a']);
    expect(keeping.writes()).toBe(4);
  });

  test('an Idempotency-Key holds across other writes, and belongs to one request', async () => {
    keeping = await startCachedApi(await newStore());
    const post = (session: string) =>
      request(at(0))
        .post(`${one('totp|new')}/verify`)
        .set('Idempotency-Key', '"k-1"')
        .send({ auth_session: session });
    await post('a');
    await request(at(1)).patch(one('totp|dev_1')).send({ name: 'x' });
    expect((await post('a')).headers['idempotency-replayed']).toBe('true');
    expect(keeping.writes()).toBe(2);
    const other = await post('b');
    expect(other.status).toBe(422);
    expect(other.body).toMatchObject({ code: 'idempotency_key_reused' });
  });

  test('an Idempotency-Key outlives any number of other reads, and belongs to one part of the account', async () => {
    keeping = await startCachedApi(await newStore());
    const post = (path: string) =>
      request(at(0)).post(path).set('Idempotency-Key', '"k-2"').send({ type: 'totp' });
    const first = await post(list);
    for (let i = 0; i < 70; i += 1) await request(at(1)).get(`${list}?type=${i}`);
    const again = await post(list);
    expect([again.text, again.headers['idempotency-replayed']]).toEqual([first.text, 'true']);
    const elsewhere = await post('/api/me/v1/connected-accounts/connect');
    expect([elsewhere.status, elsewhere.body]).toMatchObject([
      422,
      { code: 'idempotency_key_reused' },
    ]);
    expect(keeping.writes()).toBe(1);
  });

  test('a write that got no answer is not sent again by a repeat', async () => {
    keeping = await startCachedApi(await newStore());
    const { respond } = keeping.upstream;
    keeping.upstream.respond = (req) => void req.socket.destroy();
    const post = (gateway: number) => request(at(gateway)).post(list).send({ type: 'totp' });
    expect((await post(0)).status).toBe(502);
    keeping.upstream.respond = respond;
    const repeat = await post(1);
    expect([repeat.status, repeat.body]).toMatchObject([
      409,
      { code: 'outcome_unknown', lookAt: list },
    ]);
    expect(keeping.writes()).toBe(1);
  });
});

describe('reads', () => {
  test('under way at the same time are one', async () => {
    keeping = await startCachedApi();
    keeping.state.delayMs = () => 50;
    const answers = await Promise.all(Array.from({ length: 10 }, () => request(at(0)).get(list)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(
      answers.filter(({ headers }) => String(headers['cache-status']).includes('collapsed')),
    ).toHaveLength(9);
    expect(keeping.reads()).toBe(1);
  });

  test('with the etag of the kept answer are 304, without a call', async () => {
    keeping = await startCachedApi();
    const { headers } = await request(at(0)).get(list);
    const again = await request(at(1))
      .get(list)
      .set('If-None-Match', `"other", W/${String(headers['etag'])}`);
    expect(again.status).toBe(304);
    expect(again.text).toBe('');
    expect(again.headers['etag']).toBe(headers['etag']);
    expect(keeping.reads()).toBe(1);
  });

  test('with no-cache go to the API', async () => {
    keeping = await startCachedApi();
    await request(at(0)).get(list);
    const again = await request(at(0)).get(list).set('Cache-Control', 'no-cache');
    expect(again.headers['cache-status']).toBe('my-account-bff; fwd=request; fwd-status=200');
    expect(keeping.reads()).toBe(2);
  });

  test('are answered by the API when what is kept is out of reach', async () => {
    keeping = await startCachedApi(redisStores(redis));
    await request(at(0)).get(list).expect(200);
    server.freeze();
    try {
      await request(at(0)).get(list).expect(200);
      expect(keeping.reads()).toBe(2);
    } finally {
      server.thaw();
    }
    expect(await redis.opened(60_000)).toBe(true);
  });

  test('are asked again when it cannot be known whether a write came between', async () => {
    await redis.command('FLUSHALL');
    keeping = await startCachedApi(redisStores(redis));
    // The first read only, and as long as it takes to freeze Redis.
    keeping.state.delayMs = () => 300;
    const answer = request(at(0)).get(list).expect(200);
    const done = answer.then(({ status }) => status);
    expect(await until(() => keeping.reads() === 1)).toBe(true);
    server.freeze();
    try {
      expect(await done).toBe(200);
      expect(keeping.reads()).toBe(2);
    } finally {
      server.thaw();
    }
    expect(await redis.opened(60_000)).toBe(true);
  });

  test("of another session do not get this one's answers", async () => {
    const store = memoryStores();
    keeping = await startCachedApi(store);
    const other = await startCachedApi(store);
    await request(at(0)).get(list);
    await request(other.gateways[0]?.origin ?? '').get(list);
    expect(other.reads()).toBe(1);
    await other.close();
  });
});
