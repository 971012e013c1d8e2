import { afterEach, expect, test } from '@jest/globals';
import { openTab, sentAway, startAnswering } from './a-gateway.ts';

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

async function given(...answers: Parameters<typeof startAnswering>) {
  const gateway = await startAnswering(...answers);
  close = gateway.close;
  return { ...gateway, ...openTab(gateway.origin) };
}

const user = (sub: string) => ({ status: 200, body: { authenticated: true, user: { sub } } });
const asked = {
  status: 403,
  body: {
    code: 'step_up_required',
    reason: 'scope',
    scope: 'create:me:authentication_methods',
    stepUpUrl: '/auth/step-up?scope=create%3Ame%3Aauthentication_methods',
  },
};
const enrolment = { status: 202, body: { id: 'totp|dev_1', auth_session: 's' } };

/**
 * Asks for an authenticator app, is sent to the step-up, and comes back to the address the step-up
 * was given.
 */
async function sentAndBack(...after: Parameters<typeof startAnswering>) {
  const all = await given(user('auth0|ann'), asked, ...after);
  const before = all.load();
  await before.session();
  void before.authenticationMethods.create({ type: 'totp' });
  const to = await sentAway(all.tab);
  all.tab.url = all.origin + (to.searchParams.get('returnTo') ?? '');
  return { ...all, to };
}

test('The page is left for the address the gateway named, with the way back', async () => {
  const { to, origin } = await sentAndBack();
  expect(to.origin).toBe(origin);
  expect(to.pathname).toBe('/auth/step-up');
  expect(to.searchParams.get('scope')).toBe('create:me:authentication_methods');
  expect(to.searchParams.get('returnTo')).toMatch(/^\/account\?resume=[0-9a-f]{24}$/);
});

test('On return the action is done, and the address bar is as it was', async () => {
  const { load, tab, seen, origin } = await sentAndBack(user('auth0|ann'), enrolment);
  const client = load();
  await client.session();
  expect(await client.resume()).toEqual({
    operation: 'authenticationMethods.create',
    args: [{ type: 'totp' }],
    answer: enrolment.body,
  });
  expect(seen.at(-1)).toMatchObject({ method: 'POST', body: { type: 'totp' } });
  expect(tab.url).toBe(`${origin}/account`);
});

test('It is done once: a reload of the same address does nothing', async () => {
  const { load, tab } = await sentAndBack(user('auth0|ann'), enrolment, user('auth0|ann'));
  const address = tab.url;
  const client = load();
  await client.session();
  await client.resume();
  tab.url = address;
  const again = load();
  await again.session();
  expect(await again.resume()).toBeUndefined();
});

test('The back button is no return: the action is forgotten', async () => {
  const { load, tab, origin } = await sentAndBack(user('auth0|ann'), user('auth0|ann'));
  const address = tab.url;
  tab.url = `${origin}/account`;
  const client = load();
  await client.session();
  expect(await client.resume()).toBeUndefined();
  tab.url = address;
  expect(await client.resume()).toBeUndefined();
});

test('Another user who signs in meanwhile does not inherit the action', async () => {
  const { load } = await sentAndBack(user('auth0|bob'));
  const client = load();
  await client.session();
  expect(await client.resume()).toBeUndefined();
});

test('An action of more than ten minutes ago is forgotten', async () => {
  const { load, tab } = await sentAndBack(user('auth0|ann'));
  tab.now += 600_001;
  const client = load();
  await client.session();
  expect(await client.resume()).toBeUndefined();
});

test('Asked for a step-up again on return, the user is not sent away a second time', async () => {
  const { load, tab } = await sentAndBack(user('auth0|ann'), asked);
  const client = load();
  await client.session();
  expect(await client.resume()).toMatchObject({
    operation: 'authenticationMethods.create',
    problem: { code: 'step_up_required' },
  });
  expect(tab.wentTo).toHaveLength(1);
});

test('A code, a password or a proof is never stored', async () => {
  const { load, tab, storage } = await given(asked);
  let resumes: boolean | undefined;
  const onStepUp = (step: { resumes: boolean }): boolean => {
    resumes = step.resumes;
    return true;
  };
  void load({ onStepUp }).authenticationMethods.verify('totp|dev_1', {
    auth_session: 's',
    otp_code: '123456',
  });
  const to = await sentAway(tab);
  expect(resumes).toBe(false);
  expect(storage.size).toBe(0);
  expect(to.searchParams.get('returnTo')).toBe('/account');
});

test('A user who declines stays, and nothing is kept', async () => {
  const { load, tab, storage } = await given(asked);
  await expect(
    load({ onStepUp: () => false }).authenticationMethods.delete('totp|dev_1'),
  ).rejects.toMatchObject({
    code: 'step_up_declined',
  });
  expect(tab.wentTo).toEqual([]);
  expect(storage.size).toBe(0);
});

test('A step-up at another origin is refused', async () => {
  const { load, tab, storage } = await given({
    ...asked,
    body: { ...asked.body, stepUpUrl: 'https://elsewhere.example/step-up' },
  });
  await expect(load().authenticationMethods.delete('totp|dev_1')).rejects.toThrow(TypeError);
  expect(tab.wentTo).toEqual([]);
  expect(storage.size).toBe(0);
});

test('Signing out forgets what was pending', async () => {
  const { load, storage, tab, origin } = await sentAndBack();
  expect(storage.size).toBe(1);
  load().logout();
  expect(storage.size).toBe(0);
  expect(tab.wentTo.at(-1)).toBe(`${origin}/auth/logout`);
});

test('In a popup the page stays, and the action goes on by itself with what was typed in', async () => {
  const { load, tab, storage, seen } = await given(asked, {
    status: 201,
    body: { id: 'totp|dev_1' },
  });
  const verified = await load({ onStepUp: () => 'popup' }).authenticationMethods.verify(
    'totp|dev_1',
    {
      auth_session: 's',
      otp_code: '123456',
    },
  );
  expect(verified).toMatchObject({ id: 'totp|dev_1' });
  expect(new URL(tab.popups[0] ?? '').searchParams.get('display')).toBe('popup');
  expect(seen[1]?.body).toEqual(seen[0]?.body);
  expect(tab.wentTo).toEqual([]);
  expect(storage.size).toBe(0);
});

test('A popup that confirmed nothing is not opened a second time', async () => {
  const { load, tab } = await given(asked, asked);
  await expect(
    load({ onStepUp: () => 'popup' }).authenticationMethods.delete('totp|dev_1'),
  ).rejects.toMatchObject({
    code: 'step_up_required',
  });
  expect(tab.popups).toHaveLength(1);
});

test('Where the browser opens no popup, the page is left instead', async () => {
  const { load, tab } = await given(asked);
  tab.popupOpens = false;
  void load({ onStepUp: () => 'popup' }).authenticationMethods.delete('totp|dev_1');
  expect((await sentAway(tab)).searchParams.get('returnTo')).toMatch(/resume=/);
});

test('A change says which scopes the changes around it need, so that one confirmation does for all; a read asks for none', async () => {
  const { load, seen } = await given({ status: 204 }, { status: 204 }, { status: 200, body: {} });
  const client = load();
  await client.authenticationMethods.delete('totp|dev_1');
  await client.connectedAccounts.delete('cac_1');
  await client.factors.list();
  expect(seen.map(({ headers }) => headers['auth0-scope'])).toEqual([
    'create:me:authentication_methods update:me:authentication_methods delete:me:authentication_methods',
    'create:me:connected_accounts delete:me:connected_accounts',
    undefined,
  ]);
});
