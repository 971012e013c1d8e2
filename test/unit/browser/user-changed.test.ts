import { afterEach, expect, test } from '@jest/globals';
import { openTab, sentAway, startAnswering } from './a-gateway.ts';

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

async function given(...answers: Parameters<typeof startAnswering>) {
  const gateway = await startAnswering(...answers);
  close = gateway.close;
  return { ...gateway, ...openTab(gateway.origin) };
}

const signedIn = (name: string) => ({
  status: 200,
  body: { authenticated: true, user: { sub: `auth0|${name}` }, userHandle: `handle-of-${name}` },
});
const done = { status: 204 };
const list = { status: 200, body: {} };
const busy = { status: 429, headers: { 'retry-after': '2' }, body: { code: 'rate_limited' } };
const changed = { status: 409, body: { code: 'user_changed' } };

test('Every call says whose page this is, except the one that asks who is signed in', async () => {
  const ann = signedIn('ann');
  const { seen, load } = await given(ann, ann, list, done, list, list, done, done, ann);
  const client = load();
  await client.session();
  await client.session();
  await client.authenticationMethods.list();
  await client.authenticationMethods.delete('totp|dev_1');
  await client.profile();
  await client.sessions.list();
  await client.sessions.end('s');
  await client.sessions.endOthers();
  await client.staySignedIn();
  expect(seen.map(({ headers }) => headers['x-account-user'])).toEqual([
    undefined,
    undefined,
    ...Array.from({ length: 7 }, () => 'handle-of-ann'),
  ]);
});

test('Nothing is said before it is known, or by a gateway that tells no handle', async () => {
  const session = { status: 200, body: { authenticated: true, user: { sub: 'auth0|ann' } } };
  const { seen, load } = await given(list, session, list);
  const client = load();
  await client.authenticationMethods.list();
  await client.session();
  await client.authenticationMethods.list();
  expect(seen.map(({ headers }) => headers['x-account-user'])).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('The ways that leave the page say it as well', async () => {
  const step = {
    status: 403,
    body: { code: 'step_up_required', stepUpUrl: '/auth/step-up?scope=x' },
  };
  const { tab, load } = await given(signedIn('ann'), step);
  const client = load();
  await client.session();
  client.connectAccount('google-oauth2');
  client.logout();
  const left = tab.wentTo.length;
  void client.authenticationMethods.delete('totp|dev_1');
  await sentAway({
    get wentTo() {
      return tab.wentTo.slice(left);
    },
  });
  const urls = tab.wentTo.map((url) => new URL(url));
  expect(urls.map(({ pathname, searchParams }) => [pathname, searchParams.get('user')])).toEqual([
    ['/auth/connect', 'handle-of-ann'],
    ['/auth/logout', 'handle-of-ann'],
    ['/auth/step-up', 'handle-of-ann'],
  ]);
  client.login();
  expect(new URL(tab.wentTo.at(-1) ?? '').searchParams.has('user')).toBe(false);
});

test('A step-up in a popup says it, and the action goes on as the user who began it', async () => {
  const step = {
    status: 403,
    body: { code: 'step_up_required', stepUpUrl: '/auth/step-up?scope=x' },
  };
  const { seen, tab, load } = await given(signedIn('ann'), step, signedIn('bob'), changed);
  const client = load({
    onStepUp: async (): Promise<'popup'> => {
      await client.session();
      return 'popup';
    },
  });
  await client.session();
  await expect(client.authenticationMethods.delete('totp|dev_1')).rejects.toMatchObject({
    code: 'user_changed',
  });
  expect(new URL(tab.popups[0] ?? '').searchParams.get('user')).toBe('handle-of-ann');
  expect(seen.at(-1)?.headers['x-account-user']).toBe('handle-of-ann');
});

test('A call that waits for its turn stays with the user who asked for it', async () => {
  const { seen, load } = await given(signedIn('ann'), busy, signedIn('bob'), changed);
  let asked = false;
  const client = load({
    onWait: () => {
      if (!asked) void client.session();
      asked = true;
    },
  });
  await client.session();
  await expect(client.authenticationMethods.delete('totp|dev_1')).rejects.toMatchObject({
    code: 'user_changed',
  });
  const deletes = seen.filter(({ method }) => method === 'DELETE');
  expect(deletes.map(({ headers }) => headers['x-account-user'])).toEqual([
    'handle-of-ann',
    'handle-of-ann',
  ]);
});
