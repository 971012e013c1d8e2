import { describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { readSettings, SettingsError } from '../../../config/settings.ts';

const good = {
  AUTH0_DOMAIN: 'tenant.eu.auth0.com',
  AUTH0_CLIENT_ID: 'client',
  AUTH0_CLIENT_SECRET: 'secret',
  AUTH0_SECRET: 'x'.repeat(32),
  APP_BASE_URL: 'https://account.example.com',
};
const problems = (environment: Record<string, string>): readonly string[] => {
  try {
    readSettings(environment);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
};

describe('settings', () => {
  test('that are complete are read, with defaults for the rest', () => {
    expect(readSettings(good)).toMatchObject({
      AUTH0_DOMAIN: 'https://tenant.eu.auth0.com',
      PORT: 3000,
      AUTH0_PLAN: 'enterprise',
      SESSION_IDLE_TIMEOUT: 86_400,
    });
  });

  test('of online refresh tokens ask for online_access by themselves', () => {
    const { AUTH0_SCOPE: scope } = readSettings({ ...good, AUTH0_REFRESH_MODE: 'online' });
    expect(scope.split(' ').filter((each) => each.endsWith('_access'))).toEqual(['online_access']);
    expect(readSettings(good).AUTH0_SCOPE).toContain('offline_access');
  });

  test.each([
    ['online', 'openid online_access offline_access'],
    ['offline', 'openid online_access offline_access'],
    ['online', 'openid offline_access'],
    ['online', 'openid'],
    ['offline', 'openid online_access'],
  ])('that mix the two kinds of refresh token are one problem: %s with %s', (mode, scope) => {
    const found = problems({ ...good, AUTH0_REFRESH_MODE: mode, AUTH0_SCOPE: scope });
    expect(found).toEqual([expect.stringMatching(/^AUTH0_(SCOPE|REFRESH_MODE) /)]);
  });

  test.each([
    ['online', 'openid online_access'],
    ['offline', 'openid offline_access'],
    ['offline', 'openid'],
  ])('that name one kind are none: %s with %s', (mode, scope) => {
    expect(problems({ ...good, AUTH0_REFRESH_MODE: mode, AUTH0_SCOPE: scope })).toEqual([]);
  });

  test('that are missing are all named at once', () => {
    const found = problems({});
    for (const name of [
      'AUTH0_DOMAIN',
      'AUTH0_CLIENT_ID',
      'AUTH0_CLIENT_SECRET',
      'AUTH0_SECRET',
      'APP_BASE_URL',
    ]) {
      expect(found.filter((problem) => problem.startsWith(name))).toHaveLength(1);
    }
  });

  test.each([
    ['AUTH0_SECRET', 'short'],
    ['AUTH0_SECRET', `${'x'.repeat(32)},short`],
    ['AUTH0_DOMAIN', 'http://tenant.eu.auth0.com'],
    ['AUTH0_DOMAIN', 'tenant.eu.auth0.com/path'],
    ['AUTH0_DOMAIN', 'user@tenant.eu.auth0.com'],
    ['APP_BASE_URL', 'http://account.example.com'],
    ['APP_BASE_URL', 'https://account.example.com/app'],
    ['APP_BASE_URL', 'account.example.com'],
    ['AUTH0_PLAN', 'gold'],
    ['REDIS_URL', 'http://localhost'],
    ['PORT', '70000'],
    ['PORT', 'http'],
    ['TRUST_PROXY', 'true'],
    ['WEB_ROOT', '/no/such/folder'],
    ['INSTANCES', '2'],
    ['AUTH0_CLIENT_ASSERTION_SIGNING_KEY', 'not a key'],
    ['AUTH0_SCOPE', 'profile email'],
    ['AUTH0_REQUEST_OBJECTS', 'true'],
    ['SESSION_IDLE_TIMEOUT', '604800'],
    ['TOKEN_EXCHANGE_TIMEOUT', '0'],
    ['DRAIN_SECONDS', '30'],
  ])('refuse %s=%s and say so by its name', (name, value) => {
    const found = problems({ ...good, [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^${name} `));
  });

  test('never repeat a secret in what they say', () => {
    const found = problems({
      ...good,
      AUTH0_SECRET: 'hunter2-hunter2',
      AUTH0_CLIENT_ASSERTION_SIGNING_KEY: 'private-material',
    });
    expect(found.join('\n')).not.toMatch(/hunter2|private-material/);
  });

  test('take plain http for the tenant and the page on this machine only', () => {
    const local = {
      ...good,
      AUTH0_DOMAIN: '127.0.0.1:4000',
      APP_BASE_URL: 'http://localhost:3000',
    };
    expect(readSettings(local)).toMatchObject({
      AUTH0_DOMAIN: 'http://127.0.0.1:4000',
      APP_BASE_URL: 'http://localhost:3000',
    });
    expect(
      readSettings({ ...local, AUTH0_DOMAIN: 'http://tenant.localhost:4000' }).AUTH0_DOMAIN,
    ).toBe('http://tenant.localhost:4000');
  });

  test('take a private key with its line breaks written as backslash and n', () => {
    const pem = generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    const { AUTH0_CLIENT_SECRET: _secret, ...rest } = good;
    expect(
      readSettings({ ...rest, AUTH0_CLIENT_ASSERTION_SIGNING_KEY: pem.replaceAll('\n', '\\n') })
        .AUTH0_CLIENT_ASSERTION_SIGNING_KEY,
    ).toBe(pem);
  });
});
