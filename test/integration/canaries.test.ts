import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../src/gateway/http/log.ts';
import { createEvidence, type Evidence } from '../helpers/evidence.ts';
import { codeOf, type Person, type Seen } from '../helpers/person.ts';
import { startWire, type Wire } from '../helpers/wire.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
let wire: Wire;
let evidence: Evidence;
const planted = new Map<string, string>();
const methods = '/api/me/v1/authentication-methods';

beforeAll(async () => {
  wire = await startWire();
  evidence = createEvidence();
  const lines = new PassThrough();
  lines.on('data', (line: Buffer) => evidence.add('the log', line.toString()));
  world = await startWorld({
    gateways: 2,
    log: createLog({ level: 'debug', destination: lines }),
    tenant: { tokens: { accessTokenSeconds: 2 }, limits: { enforced: false } },
    wire,
    settings: { RATE_LIMIT_USER_READ: '3', UPSTREAM_ANSWER_TIMEOUT: '1000', BUDGET_DEADLINE: '0' },
  });
});
afterAll(async () => {
  await world.close();
  await wire.close();
});

/** Keeps all that an answer of the gateway shows to the browser; the session cookie is the browser's own and stays out of it. */
const keep = (where: string, seen: Seen): Seen => {
  const headers = [...seen.headers]
    .filter(([name]) => name !== 'set-cookie')
    .map(([name, value]) => `${name}: ${value}`);
  evidence.add(`${where}: headers`, headers.join('\n'));
  evidence.add(`${where}: cookies`, seen.headers.getSetCookie().join('\n'));
  evidence.add(`${where}: body`, seen.text);
  return seen;
};

const live = async (person: Person): Promise<void> => {
  const door = `${world.origin}/auth/callback`;
  const shown = await person.visit('/auth/login?returnTo=/account');
  const action = new URL(
    /action="([^"]*)"/.exec(shown.text)?.[1]?.replaceAll('&amp;', '&') ?? '',
    shown.url,
  ).href;
  const state = /name="state"[^>]*value="([^"]*)"/.exec(shown.text)?.[1] ?? '';
  const form = { state, username: world.user.email, password: world.user.password };
  const { url } = await person.visit(action, { method: 'POST', form, stopAt: door });
  planted.set('the authorization code', new URL(url).searchParams.get('code') ?? '');
  keep('callback', await person.visit(url));
  keep('callback again', await person.visit(url));
  keep('callback by script', await person.call('GET', url));
  keep('broken callback', await person.call('GET', `${url}&code=twice`));

  for (const path of [
    '/auth/session',
    '/auth/profile',
    '/auth/sessions',
    methods,
    `${methods}?type=totp`,
    '/api/me/v1/factors',
  ]) {
    keep(path, await person.call('GET', path));
  }
  const asked = keep('step-up', await person.call('POST', methods, { type: 'totp' }));
  await person.answerForms(await person.visit((asked.json() as { stepUpUrl: string }).stepUpUrl));
  const begun = await person.call('POST', methods, { type: 'totp' });
  const { id, auth_session, manual_input_code } = begun.json() as Record<string, string>;
  const secret = 'otp_code 424242 canary-in-a-body';
  planted.set('a value of the user', 'canary-in-a-body');
  keep(
    'a wrong code',
    await person.call('POST', `${methods}/${encodeURIComponent(id ?? '')}/verify`, {
      auth_session,
      otp_code: secret,
    }),
  );
  keep(
    'verified',
    await person.call('POST', `${methods}/${encodeURIComponent(id ?? '')}/verify`, {
      auth_session,
      otp_code: codeOf(manual_input_code ?? ''),
    }),
  );
  for (const fault of [
    { status: 500, body: { error: 'canary-of-the-tenant' } },
    {
      status: 401,
      headers: {
        'www-authenticate':
          'Bearer error="invalid_token", error_description="canary-of-the-tenant"',
      },
      body: {},
    },
    { status: 302, headers: { location: 'https://canary-of-the-tenant.example/' } },
    { reset: 'before-headers' as const },
    { reset: 'mid-body' as const },
    { delayMs: 1_500 },
  ]) {
    world.tenant.faults.add({ path: '/me/', times: 1, ...fault });
    keep(
      'under a fault',
      await person.call('GET', '/api/me/v1/connected-accounts/accounts').catch((): Seen => ({
        url: '',
        status: 0,
        headers: new Headers(),
        text: '',
        json: () => undefined,
      })),
    );
  }
  await sleep(2_100);
  world.tenant.faults.add({
    path: '/oauth/token',
    times: 1,
    status: 403,
    body: {
      error: 'mfa_required',
      error_description: 'canary-of-the-tenant',
      mfa_token: 'canary-of-an-mfa-token',
    },
  });
  keep('mfa at refresh', await person.call('GET', '/api/me/v1/connected-accounts/connections'));
  await sleep(200);
  const since = Date.now();
  while (
    Date.now() - since < 20_000 &&
    keep('later', await person.call('GET', '/api/me/v1/connected-accounts/connections')).status ===
      403
  )
    await sleep(1_000);
  keep(
    'signed out',
    await person.call('POST', '/auth/logout', undefined, { 'x-anything': 'canary-in-a-header' }),
  );
  planted.set('a header of the user', 'canary-in-a-header');
};

test('no token, code or secret stands in any answer, header, cookie, log line or metric', async () => {
  await live(world.person());
  for (const { gateway } of world.gateways)
    evidence.add('the metrics', (await gateway.metrics.expose()).text);
  const secrets = new Map([
    ...wire.secrets(),
    ...planted,
    ['the client secret', world.clientSecret],
    ['the server secret', world.serverSecret],
    ['the password', world.user.password],
  ]);
  expect([...secrets.values()].filter((value) => value.length < 8)).toEqual([]);
  expect(wire.secrets().size).toBeGreaterThan(8);
  expect(evidence.size()).toBeGreaterThan(20_000);
  // Signing out hands the ID token to Auth0 through the browser, as RP-Initiated Logout 1.0 section 2 has it; nothing else may.
  const leaks = evidence
    .find(secrets)
    .filter(({ where, what }) => !(where === 'signed out: body' && what.startsWith('id_token')));
  // What the user typed comes back to the user where the API repeats it, and nowhere else.
  expect(leaks.filter(({ where }) => where !== 'a wrong code: body')).toEqual([]);
  expect(evidence.tokens().filter(({ where }) => where !== 'signed out: body')).toEqual([]);
});

test('the search would find them: a secret that is planted in the log is found', () => {
  const [name, value] = [...wire.secrets()][0] ?? ['', ''];
  evidence.add('the log', `something ${encodeURIComponent(value)} something`);
  expect(evidence.find(new Map([[name, value]]))).toEqual([{ where: 'the log', what: name }]);
});
