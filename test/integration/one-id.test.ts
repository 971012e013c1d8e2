import { afterEach, expect, test } from '@jest/globals';
import type { Log } from '../../src/gateway/http/log.ts';
import { startWorld, type World } from '../helpers/world.ts';

type Line = Readonly<Record<string, unknown>>;

let world: World;
afterEach(async () => world.close());

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
const theirs = 'edge-4f2a:0001';

const keeper = (): { lines: Line[]; log: Log } => {
  const lines: Line[] = [];
  const keep = (fields: object): void => void lines.push({ ...fields });
  return { lines, log: { debug: keep, info: keep, warn: keep, error: keep } };
};

/** The ids that the tenant's log has for calls of this path. */
const atTenant = (path: string): unknown[] =>
  world.tenant
    .requests()
    .filter((seen) => seen.path.startsWith(path))
    .map(({ headers, query }) => headers['x-correlation-id'] ?? query['correlation_id']);

test('a problem of the API is found by one id in the answer, the log and the log of Auth0', async () => {
  const { lines, log } = keeper();
  world = await startWorld({ log });
  const person = world.person();
  await person.signIn();
  lines.length = 0;
  world.tenant.faults.add({ path: '/me/', status: 500, body: {} });
  const answer = await person.call('GET', '/api/me/v1/factors');
  const id = answer.headers.get('x-request-id');
  expect(answer.status).toBeGreaterThanOrEqual(500);
  expect(id).toMatch(uuid);
  expect(atTenant('/me/')).toEqual([id]);
  expect(lines.length).toBeGreaterThan(0);
  expect(new Set(lines.map((line) => line['requestId']))).toEqual(new Set([id]));
});

test('so is a failure of its own: problem, every log line of the request, the call to the API', async () => {
  const { lines, log } = keeper();
  world = await startWorld({ log });
  const person = world.person();
  await person.signIn();
  lines.length = 0;
  world.tenant.faults.add({ path: '/me/', status: 302, headers: { location: '/' } });
  const answer = await person.call('GET', '/api/me/v1/factors');
  const { instance } = answer.json() as { instance: string };
  const id = instance.replace('urn:uuid:', '');
  expect(id).toMatch(uuid);
  expect(answer.headers.get('x-request-id')).toBe(id);
  expect(atTenant('/me/')).toEqual([id]);
  expect(lines.map((line) => line['requestId'])).toEqual(lines.map(() => id));
  expect(lines.length).toBeGreaterThan(1);
});

test.each(['off', 'on'])(
  'a sign-in names its request at Auth0, with pushed requests %s',
  async (pushed) => {
    const { lines, log } = keeper();
    world = await startWorld({ log, settings: { AUTH0_PUSHED_AUTHORIZATION_REQUESTS: pushed } });
    const person = world.person();
    const shown = await person.visit('/auth/login', { stopAt: `${world.tenant.url}/authorize` });
    const id = new URL(shown.url).searchParams.get('correlation_id');
    const back = await person.answerForms(await person.visit(shown.url));
    expect(back.url.startsWith(world.origin)).toBe(true);
    expect(id).toMatch(uuid);
    expect(lines.map((line) => line['requestId'])).toContain(id);
    expect(atTenant('/authorize')[0]).toBe(id);
    // The exchange of the code belongs to the request of the callback, and so does what is logged of it.
    const [exchanged] = atTenant('/oauth/token');
    const signedIn = lines.find((line) => line['event'] === 'login');
    expect([exchanged, signedIn?.['requestId']]).toEqual([exchanged, exchanged]);
    expect(exchanged).toMatch(uuid);
  },
);

test.each([
  ['x-request-id', theirs],
  ['x-correlation-id', theirs],
])('a trusted proxy chooses it by %s', async (name, id) => {
  world = await startWorld({ settings: { TRUST_PROXY: 'loopback' } });
  const person = world.person();
  await person.signIn();
  const answer = await person.call('GET', '/api/me/v1/factors', undefined, { [name]: id });
  expect(answer.headers.get('x-request-id')).toBe(id);
  expect(atTenant('/me/')).toEqual([id]);
  const failed = await person.call('GET', '/api/me/v1/nothing', undefined, { [name]: id });
  expect(failed.json()).toMatchObject({ code: 'operation_not_found', instance: `#${id}` });
});

test.each([
  ['a space', 'a b'],
  ['a quote', 'a"b'],
  ['65 characters', 'a'.repeat(65)],
  ['nothing', ''],
])('an id with %s is not taken, even of a trusted proxy', async (_what, id) => {
  world = await startWorld({ settings: { TRUST_PROXY: 'loopback' } });
  const answer = await world
    .person()
    .call('GET', '/auth/profile', undefined, { 'x-request-id': id });
  expect(answer.headers.get('x-request-id')).toMatch(uuid);
});

test.each(['x-request-id', 'x-correlation-id'])(
  'nobody else chooses it: %s of a browser',
  async (name) => {
    world = await startWorld();
    const person = world.person();
    await person.signIn();
    const answer = await person.call('GET', '/api/me/v1/factors', undefined, { [name]: theirs });
    expect(answer.headers.get('x-request-id')).toMatch(uuid);
    expect(JSON.stringify(world.tenant.requests())).not.toContain(theirs);
  },
);
