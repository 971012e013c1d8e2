import { afterAll, beforeAll, expect, test } from '@jest/globals';
import request from 'supertest';
import type { Person } from '../helpers/person.ts';
import { codeOf } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
let person: Person;
beforeAll(async () => {
  world = await startWorld();
  person = world.person();
});
afterAll(async () => world.close());

test('somebody signed out is told so, with a way in, and Auth0 is not asked', async () => {
  const refused = await request(world.origin)
    .get('/api/me/v1/authentication-methods')
    .set('X-CSRF', '1')
    .expect(401);
  expect(refused.body).toMatchObject({ code: 'login_required', status: 401 });
  await request(world.origin)
    .get('/auth/session')
    .set('X-CSRF', '1')
    .expect(200, { authenticated: false });
});

test('signing in comes back to where one was, with one cookie and a profile', async () => {
  const back = await person.signIn('/account?tab=mfa');
  expect(back.url).toBe(`${world.origin}/account?tab=mfa`);
  const profile = await person.call('GET', '/auth/profile');
  expect(profile.json()).toMatchObject({ email: world.user.email });
  const cookies = await person.jar.getCookies(world.origin);
  expect(
    cookies.map(({ key, httpOnly, sameSite, path }) => [key, httpOnly, sameSite, path]),
  ).toEqual([['my_account_session', true, 'lax', '/']]);
});

test('the methods are listed through the gateway, under both spellings', async () => {
  for (const path of ['/api/me/v1/authentication-methods', '/api/me/authentication-methods']) {
    const answer = await person.call('GET', path);
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({
      authentication_methods: expect.arrayContaining([expect.objectContaining({ type: 'totp' })]),
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  }
});

test('an addition asks to step up first, then goes through, and is removed again', async () => {
  const asked = await person.call('POST', '/api/me/v1/authentication-methods', { type: 'totp' });
  expect(asked.status).toBe(403);
  const { stepUpUrl, code, scope } = asked.json() as {
    stepUpUrl: string;
    code: string;
    scope: string;
  };
  expect([code, scope]).toEqual(['step_up_required', 'create:me:authentication_methods']);

  const before = await person.jar.getCookieString(world.origin);
  const back = await person.answerForms(await person.visit(`${stepUpUrl}&returnTo=/account`));
  expect(back.url).toBe(`${world.origin}/account`);
  expect(await person.jar.getCookieString(world.origin)).not.toBe(before);

  const begun = await person.call('POST', '/api/me/v1/authentication-methods', { type: 'totp' });
  expect(begun.status).toBe(202);
  const { id, auth_session, manual_input_code } = begun.json() as Record<string, string>;
  const verified = await person.call(
    'POST',
    `/api/me/v1/authentication-methods/${encodeURIComponent(id ?? '')}/verify`,
    {
      auth_session,
      otp_code: codeOf(manual_input_code ?? ''),
    },
  );
  expect(verified.status).toBe(201);
  expect(verified.headers.get('location')).toMatch(
    /^\/api\/me\/v1\/authentication-methods\/totp%7Cdev_/,
  );

  const removal = await person.call(
    'DELETE',
    `/api/me/v1/authentication-methods/${encodeURIComponent(id ?? '')}`,
  );
  expect((removal.json() as { code: string }).code).toBe('step_up_required');
  await person.answerForms(await person.visit((removal.json() as { stepUpUrl: string }).stepUpUrl));
  expect(
    (
      await person.call(
        'DELETE',
        `/api/me/v1/authentication-methods/${encodeURIComponent(id ?? '')}`,
      )
    ).status,
  ).toBe(204);
});

test('signing out ends it here and at Auth0', async () => {
  const cookie = await person.jar.getCookieString(world.origin);
  const away = await person.visit('/auth/logout');
  expect(away.url).toBe(`${world.origin}/`);
  expect((await person.call('GET', '/auth/profile')).status).toBe(401);
  await request(world.origin).get('/auth/profile').set({ cookie, 'x-csrf': '1' }).expect(401);
  const again = await person.visit('/auth/login', { stopAt: `${world.tenant.url}/u/login` });
  expect(again.url).toContain('/u/login');
});
