import { afterEach, describe, expect, test } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { startProgram, type Running } from '../helpers/process.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World | undefined;
let demo: Running<{ gateway: string }> | undefined;
afterEach(async () => {
  await world?.close();
  await demo?.kill();
  [world, demo] = [undefined, undefined];
});

describe('with ME_AT_ROOT', () => {
  test('/me reaches the same handler: session, cache, step-up, cross-site check', async () => {
    world = await startWorld({ settings: { ME_AT_ROOT: 'true' } });
    const person = world.person();
    expect((await person.call('GET', '/me/v1/factors')).json()).toMatchObject({
      code: 'login_required',
    });
    await person.signIn();
    const long = await person.call('GET', '/api/me/v1/factors');
    const short = await person.call('GET', '/me/v1/factors');
    const bare = await person.call('GET', '/me/factors');
    expect([short.status, short.text, bare.text]).toEqual([200, long.text, long.text]);
    expect(world.tenant.requests().filter(({ path }) => path.startsWith('/me/'))).toHaveLength(1);
    const body = { type: 'recovery-code' };
    expect((await person.call('POST', '/me/v1/authentication-methods', body)).json()).toMatchObject(
      { code: 'step_up_required' },
    );
    const foreign = { 'sec-fetch-site': 'cross-site' };
    expect((await person.call('GET', '/me/v1/factors', undefined, foreign)).json()).toMatchObject({
      code: 'cross_site_request',
    });
    expect((await person.call('GET', '/me/v1/nothing')).json()).toMatchObject({
      code: 'operation_not_found',
    });
  });

  test('a guest takes /me from its host, and no more', async () => {
    world = await startWorld({ settings: { ME_AT_ROOT: 'true' } });
    const host = express().use(world.gateways[0]?.gateway.app ?? []);
    host.use((_req, res) => void res.status(418).end());
    const statuses: Record<string, number> = {};
    for (const path of ['/me', '/me/', '/ME/v1/factors', '/me/v1/factors', '/menu', '/about/me'])
      statuses[path] = (await request(host).get(path)).status;
    expect(statuses).toEqual({
      ...{ '/me': 418, '/me/': 401, '/ME/v1/factors': 401, '/me/v1/factors': 401 },
      ...{ '/menu': 418, '/about/me': 418 },
    });
  });

  test('the demo has it on', async () => {
    demo = await startProgram(['demo', '--port', '0', '--json']);
    const answer = await fetch(`${demo.ready.gateway}/me/v1/factors`);
    expect(await answer.json()).toMatchObject({ code: 'login_required' });
  });
});

test('without it /me is the front end’s', async () => {
  world = await startWorld();
  const answer = await world.person().call('GET', '/me/v1/factors');
  expect(answer.json()).toMatchObject({ code: 'not_found' });
});
