import { afterAll, describe, expect, test } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { createMemoryStore } from '../../../../src/gateway/session/memory-store.ts';
import { createPending } from '../../../../src/gateway/session/pending.ts';
import { createSeal } from '../../../../src/gateway/session/seal.ts';

const store = createMemoryStore();
afterAll(() => store.close());
const seal = createSeal(['a secret of the tests that is long enough to seal with'], 'test');
const pending = createPending<string>({
  ...{
    store,
    seal,
    name: 'test_',
    origin: 'http://localhost',
    sameSite: 'lax',
    lifetimeMs: 60_000,
  },
});
const app = express()
  .get('/begin/:value', async (req, res) => {
    await pending.begin(req, res, req.params.value, 'slot');
    res.end();
  })
  .get(
    '/find',
    async (req, res) =>
      void res.json({ value: (await pending.find(req, res, 'slot'))?.value ?? null }),
  )
  .get('/replace/:value', async (req, res) => {
    const entry = await pending.find(req, res, 'slot');
    res.json({
      replaced: (await entry?.replace(req.params.value)) ?? null,
      again: (await entry?.replace('late')) ?? null,
    });
  })
  .get(
    '/take',
    async (req, res) => void res.json({ value: (await pending.take(req, res, 'slot')) ?? null }),
  );

const ask = async (path: string, cookie = ''): Promise<{ body: unknown; cookies: string[] }> => {
  const answer = await request(app).get(path).set('cookie', cookie);
  return { body: answer.body as unknown, cookies: answer.get('Set-Cookie') ?? [] };
};
const begin = async (value: string, before = ''): Promise<string> => {
  const { cookies } = await ask(`/begin/${value}`, before);
  return cookies.find((each) => each.startsWith('my_account_test_slot='))?.split(';')[0] ?? '';
};

describe('what is kept while a person is on the way', () => {
  test('is found by the cookie, and taken once', async () => {
    const cookie = await begin('one');
    expect((await ask('/find', cookie)).body).toEqual({ value: 'one' });
    const taken = await ask('/take', cookie);
    expect(taken.body).toEqual({ value: 'one' });
    expect(taken.cookies.join()).toContain('my_account_test_slot=;');
    expect((await ask('/take', cookie)).body).toEqual({ value: null });
  });

  test('is written anew by one of two', async () => {
    const cookie = await begin('one');
    expect((await ask('/replace/two', cookie)).body).toEqual({ replaced: true, again: false });
    expect((await ask('/find', cookie)).body).toEqual({ value: 'two' });
  });

  test('is not believed when two cookies open one each; one that opens nothing hides none', async () => {
    const [mine, planted] = [await begin('mine'), await begin('planted')];
    for (const both of [`${mine}; ${planted}`, `${planted}; ${mine}`])
      expect((await ask('/find', both)).body).toEqual({ value: null });
    await ask('/take', planted);
    expect((await ask('/find', `${planted}; ${mine}`)).body).toEqual({ value: 'mine' });
  });

  test('is not read out of another cookie', async () => {
    const cookie = await begin('one');
    for (const before of ['x=y ', 'x=y\t', 'x=', 'x=y,'])
      expect((await ask('/find', `${before}${cookie}`)).body).toEqual({ value: null });
  });

  test('ends when the same browser begins anew', async () => {
    const cookie = await begin('one');
    await begin('two', cookie);
    expect((await ask('/find', cookie)).body).toEqual({ value: null });
  });
});
