import { afterEach, expect, test } from '@jest/globals';
import { createServer, type Socket } from 'node:net';
import { decodeJwt } from 'jose';
import { startGateway, type Listening } from '../helpers/gateway.ts';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';
import { until } from '../helpers/until.ts';

let world: World;
afterEach(async () => world.close());

const signedIn = async (): Promise<Person> => {
  const person = world.person();
  await person.signIn();
  return person;
};
const profile = async (person: Person): Promise<number> =>
  (await person.call('GET', '/auth/profile')).status;
/** Whether the tenant still knows the browser: then it sends it back without a form. */
const knownAtTenant = async (person: Person): Promise<boolean> =>
  new URL((await person.visit('/auth/login')).url).origin === world.origin;

test('signing out ends the session, clears cookie and caches, revokes the refresh token and leaves by way of Auth0, which asks nothing', async () => {
  world = await startWorld({ gateways: 2 });
  const person = await signedIn();
  const cookie = await person.jar.getCookieString(world.origin);
  const answer = await person.call('GET', '/auth/logout');
  expect(answer.status).toBe(303);
  expect(answer.headers.get('clear-site-data')).toBe('"cache", "storage"');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.getSetCookie().join()).toMatch(
    /my_account_session=;.*Expires=Thu, 01 Jan 1970/,
  );
  expect(await person.jar.getCookieString(world.origin)).not.toContain('my_account_session');
  expect((await fetch(`${world.origin}/auth/profile`, { headers: { cookie } })).status).toBe(401);

  const target = new URL(answer.headers.get('location') ?? '');
  const {
    id_token_hint: hint = '',
    logout_hint: sid,
    ...rest
  } = Object.fromEntries(target.searchParams);
  expect(target.origin + target.pathname).toBe(`${world.tenant.url}/oidc/logout`);
  expect(decodeJwt(hint)).toMatchObject({ iss: world.tenant.issuer, aud: 'world', sid });
  expect(sid).toBeTruthy();
  expect(rest).toEqual({ client_id: 'world', post_logout_redirect_uri: `${world.origin}/` });

  const revoked = () => world.tenant.requests().filter(({ path }) => path === '/oauth/revoke');
  expect(await until(() => revoked().length > 0)).toBe(true);
  expect(revoked().map(({ status }) => status)).toEqual([200]);

  expect(await knownAtTenant(person)).toBe(true);
  // The way to its end, as a link goes it: no question is asked, and afterwards the tenant knows nobody either.
  expect((await person.visit('/auth/logout')).url).toBe(`${world.origin}/`);
  expect(await knownAtTenant(person)).toBe(false);
});

test('a script gets the address to go to, and a second time is as good as the first', async () => {
  world = await startWorld();
  const person = await signedIn();
  const first = await person.call('POST', '/auth/logout');
  expect([first.status, first.headers.get('clear-site-data')]).toEqual([200, '"cache", "storage"']);
  expect((first.json() as { logoutUrl: string }).logoutUrl).toMatch(
    /\/oidc\/logout\?.*id_token_hint=/,
  );
  const second = (await person.call('POST', '/auth/logout')).json() as { logoutUrl: string };
  expect(second.logoutUrl).toContain('client_id=world');
  expect(second.logoutUrl).not.toContain('id_token_hint');
});

test('where discovery names no logout endpoint the way is /v2/logout, and it ends the session there', async () => {
  world = await startWorld({
    tenant: { oidc_logout: { rp_logout_end_session_endpoint_discovery: false } },
  });
  const person = await signedIn();
  const { logoutUrl } = (await person.call('POST', '/auth/logout')).json() as { logoutUrl: string };
  const target = new URL(logoutUrl);
  expect(target.origin + target.pathname).toBe(`${world.tenant.url}/v2/logout`);
  expect(Object.fromEntries(target.searchParams)).toEqual({
    client_id: 'world',
    returnTo: `${world.origin}/`,
  });
  expect((await person.visit(logoutUrl)).url).toBe(`${world.origin}/`);
  expect(await knownAtTenant(person)).toBe(false);
});

test('with Auth0 stopped the user is signed out here', async () => {
  world = await startWorld({ redis: true });
  const person = await signedIn();
  await world.tenant.close();
  expect((await person.call('POST', '/auth/logout')).status).toBe(200);
  expect(await profile(person)).toBe(401);
});

test('a gateway that never spoke with Auth0, and gets no answer from it, signs out no less', async () => {
  world = await startWorld({ redis: true });
  const person = await signedIn();
  const cookie = await person.jar.getCookieString(world.origin);
  const { port } = new URL(world.tenant.url);
  await world.tenant.close();
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => silent.listen(Number(port), '127.0.0.1', resolve));
  let other: Listening | undefined;
  try {
    other = await startGateway({
      AUTH0_DOMAIN: world.tenant.url,
      AUTH0_CLIENT_ID: 'world',
      AUTH0_CLIENT_SECRET: world.clientSecret,
      AUTH0_SECRET: world.serverSecret,
      APP_BASE_URL: world.origin,
      REDIS_URL: world.redis?.url ?? '',
      UPSTREAM_ANSWER_TIMEOUT: '120000',
    });
    const answer = await fetch(`${other.url}/auth/logout`, {
      method: 'POST',
      headers: { cookie, origin: world.origin },
      // Half of what it would wait for Auth0.
      signal: AbortSignal.timeout(60_000),
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ logoutUrl: `${world.origin}/` });
    expect(await profile(person)).toBe(401);
  } finally {
    // First, or the gateway would wait for the revocation that nobody answers.
    const silenced = new Promise((resolve) => silent.close(resolve));
    for (const socket of sockets) socket.destroy();
    await silenced;
    await other?.close();
  }
});
