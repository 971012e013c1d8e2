import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());
const create = ['POST', '/api/me/v1/authentication-methods', { type: 'recovery-code' }] as const;
const upstream = () => world.tenant.requests().filter(({ path }) => path.startsWith('/me/'));

test('a missing scope asks to step up without a call to the API; a navigation is sent there', async () => {
  world = await startWorld();
  const person = world.person();
  await person.signIn();
  expect((await person.call(...create)).json()).toMatchObject({
    code: 'step_up_required',
    reason: 'insufficient_scope',
    maxAge: 900,
  });
  expect(upstream()).toEqual([]);
});

test.each(['with the header', 'without it'])('the API saying so %s is understood', async (form) => {
  const scope =
    'openid profile email offline_access read:me:authentication_methods create:me:authentication_methods';
  world = await startWorld({ settings: { AUTH0_SCOPE: scope } });
  const person = world.person();
  await person.signIn();
  world.tenant.faults.add({
    path: '/me/',
    status: 403,
    headers: {
      'content-type': 'application/json',
      ...(form === 'with the header' && {
        'www-authenticate':
          'Bearer realm="api", error="insufficient_scope", scope="create:me:authentication_methods"',
      }),
    },
    body: {
      type: 'https://auth0.com/api-errors/A0E-403-0002',
      title: 'Insufficient Scope',
      status: 403,
      detail: 'The auth token lacks the required scope',
    },
  });
  const answer = await person.call(...create);
  expect(answer.status).toBe(403);
  expect(answer.json()).toMatchObject({
    code: 'step_up_required',
    type: 'https://auth0.com/api-errors/A0E-403-0002',
    stepUpUrl: expect.stringContaining('/auth/step-up?'),
  });
});

test('another user coming back changes nothing: refused, and the first stays signed in', async () => {
  world = await startWorld();
  const [other] = world.tenant.users.add({
    email: 'other@example.com',
    password: 'other-password',
    methods: [{ type: 'totp', secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' }],
  });
  const person = world.person();
  await person.signIn();
  const { stepUpUrl } = (await person.call(...create)).json() as { stepUpUrl: string };
  // The tenant's own session is gone, so it asks who it is, and somebody else answers.
  const cookie = await person.jar.getCookieString(world.origin);
  await person.jar.removeAllCookies();
  await person.jar.setCookie(`${cookie}; Path=/`, world.origin);
  const page = await person.answerForms(await person.visit(stepUpUrl), {
    email: other?.email ?? '',
    password: 'other-password',
    totpSecret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
  });
  expect(page.status).toBe(400);
  expect(page.text).toContain('another user');
  expect((await person.call('GET', '/auth/profile')).json()).toMatchObject({
    email: world.user.email,
  });
});

test('a tenant that ignores acr_values ends in a readable page, not in a loop, and nothing is gained', async () => {
  world = await startWorld({ tenant: { mfa: { acr_values_action: false } } });
  const person = world.person();
  await person.signIn();
  const { stepUpUrl } = (await person.call(...create)).json() as { stepUpUrl: string };
  const page = await person.answerForms(await person.visit(stepUpUrl));
  expect(page.status).toBe(400);
  expect(page.text).toContain('second factor');
  expect((await person.call(...create)).json()).toMatchObject({ code: 'step_up_required' });
});

test('a scope that Auth0 does not grant at step-up is refused afterwards, not asked for again', async () => {
  world = await startWorld({
    tenant: {
      grants: [
        { client_id: 'world', scope: ['read:me:authentication_methods', 'read:me:factors'] },
      ],
    },
  });
  const person = world.person();
  await person.signIn();
  const { stepUpUrl } = (await person.call(...create)).json() as { stepUpUrl: string };
  expect((await person.answerForms(await person.visit(stepUpUrl))).status).toBeLessThan(500);
  const again = await person.call(...create);
  expect(again.status).toBe(403);
  expect(again.json()).toMatchObject({ code: 'forbidden' });
});

test('only scopes of the operations table, never at the wish of another site, and signed out it is a sign-in first', async () => {
  world = await startWorld();
  const person = world.person();
  expect(
    (
      await person.visit('/auth/step-up?scope=create:me:authentication_methods&returnTo=/x', {
        stopAt: `${world.tenant.url}/authorize`,
      })
    ).url,
  ).toContain('/authorize');
  await person.signIn();
  expect((await person.call('GET', '/auth/step-up?scope=delete:everything')).json()).toMatchObject({
    code: 'invalid_request',
  });
  expect(
    (
      await person.visit('/auth/step-up?scope=create:me:authentication_methods', {
        headers: { 'sec-fetch-site': 'cross-site' },
      })
    ).status,
  ).toBe(403);
});

test('a step-up lasts as long as the settings say, then it is asked for again', async () => {
  world = await startWorld({ settings: { STEP_UP_MAX_AGE: '30' } });
  const person = world.person();
  await person.signIn();
  const { stepUpUrl } = (await person.call(...create)).json() as { stepUpUrl: string };
  await person.answerForms(await person.visit(stepUpUrl));
  expect((await person.call(...create)).status).toBe(202);
  const { stepUpFreshFor } = (await person.call('GET', '/auth/session')).json() as {
    stepUpFreshFor: number;
  };
  expect(stepUpFreshFor).toBeGreaterThan(0);
  expect(stepUpFreshFor).toBeLessThanOrEqual(30);
});
