import { afterEach, expect, test } from '@jest/globals';
import { ProblemError } from '../../../src/browser/problem.ts';
import { passkeyProblem } from '../../../src/browser/passkey.ts';
import { openTab, startAnswering } from './a-gateway.ts';

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

test.each([
  ['another domain', 'tenant.eu.auth0.com', 'https://account.example.com/', 'passkey_other_domain'],
  [
    'a sibling of the page',
    'login.example.com',
    'https://account.example.com/',
    'passkey_other_domain',
  ],
  ['a domain below', 'login.example.com', 'https://example.com/', 'passkey_other_domain'],
  ['a name that only ends alike', 'example.com', 'https://notexample.com/', 'passkey_other_domain'],
  ['a top-level domain', 'com', 'https://example.com/', 'passkey_other_domain'],
  [
    'an origin in the place of a name',
    'https://example.com',
    'https://example.com/',
    'passkey_other_domain',
  ],
  ['a page at an address', 'localhost', 'http://127.0.0.1:3000/', 'passkey_page_is_address'],
  ['a page at an IPv6 address', 'localhost', 'http://[::1]:3000/', 'passkey_page_is_address'],
  [
    'a page over plain http',
    'example.com',
    'http://account.example.com/',
    'passkey_page_not_secure',
  ],
])('%s is named, with the mend', (_what, rpId, page, code) => {
  const found = passkeyProblem(rpId, page);
  expect(found).toMatchObject({ code, detail: expect.stringContaining(new URL(page).hostname) });
});

test.each([
  ['example.com', 'https://account.example.com/x'],
  ['account.example.com', 'https://account.example.com:8443/'],
  ['localhost', 'http://localhost:3000/'],
  ['localhost', 'http://app.localhost:3000/'],
  [undefined, 'https://account.example.com/'],
])('%s on %s is right', (rpId, page) => {
  expect(passkeyProblem(rpId, page)).toBeUndefined();
});

test('create tells it, so that nobody is asked for a fingerprint in vain', async () => {
  const authn_params_public_key = { rp: { id: 'tenant.eu.auth0.com', name: 'Tenant' } };
  const gateway = await startAnswering({
    status: 202,
    body: { auth_session: 's', authn_params_public_key },
  });
  close = gateway.close;
  const tab = openTab(gateway.origin.replace('127.0.0.1', 'localhost'));
  const refused: unknown = await tab
    .load()
    .authenticationMethods.create({ type: 'passkey' })
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ProblemError);
  expect(refused).toMatchObject({
    code: 'passkey_other_domain',
    detail: expect.stringMatching(/tenant\.eu\.auth0\.com.*Relying Party IDs.*Allowed Origins/),
  });
});

const passkey = { id: 'passkey|1', type: 'passkey', key_id: 'cred', relying_party_id: 'a.example' };
test.each([
  ['a passkey that was shown', 204, passkey, [['a.example', 'cred']]],
  ['one whose removal was refused', 409, passkey, []],
  ['one of no known relying party', 204, { ...passkey, relying_party_id: undefined }, []],
  ['another kind of method', 204, { ...passkey, type: 'totp' }, []],
  ['one that was never shown', 204, { ...passkey, id: 'passkey|2' }, []],
])('the browser hears of a removal: %s', async (_what, status, method, told) => {
  const listed = { status: 200, body: { authentication_methods: [method] } };
  const gateway = await startAnswering(listed, { status, body: status === 204 ? undefined : {} });
  close = gateway.close;
  const { tab, load } = openTab(gateway.origin);
  const { authenticationMethods } = load();
  await authenticationMethods.list();
  await authenticationMethods.delete('passkey|1').catch(() => undefined);
  expect(gateway.seen).toHaveLength(2);
  expect(tab.passkeysRemoved).toEqual(told);
});
