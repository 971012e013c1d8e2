import { describe, expect, test } from '@jest/globals';
import type { Grant } from '../../../../src/gateway/auth0/grant.ts';
import { rejectionReason } from '../../../../src/gateway/login/rejection.ts';
import { grantedToken } from '../../../../src/gateway/tokens/granted.ts';

const mfa = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor';
const expected = { audience: 'https://t.example/me/', acrValues: mfa, maxAgeSeconds: 900 };
const grant = (claims: Record<string, unknown>, over: Partial<Grant> = {}): Grant => ({
  sub: 'u1',
  idToken: '',
  accessToken: '',
  tokenType: 'Bearer',
  expiresIn: 1,
  audience: [expected.audience],
  scope: [],
  claims: { iat: 10_000, auth_time: 9_990, acr: mfa, ...claims },
  ...over,
});
const stepUp = { kind: 'step-up', returnTo: '', scope: [], sub: 'u1' } as const;

describe('a step-up', () => {
  test('is good with the same subject, the acr asked for and a fresh sign-in', () => {
    expect(rejectionReason(grant({}), stepUp, expected)).toBeUndefined();
  });
  test('is refused for another user', () => {
    expect(rejectionReason(grant({}, { sub: 'u2' }), stepUp, expected)).toBe('another_user');
  });
  test('is refused when the second factor was not asked for', () => {
    expect(rejectionReason(grant({ acr: undefined }), stepUp, expected)).toBe('acr_unmet');
    expect(rejectionReason(grant({ acr: 'other' }), stepUp, expected)).toBe('acr_unmet');
  });
  test('is refused when the sign-in is too old, or does not say how old it is', () => {
    expect(rejectionReason(grant({ auth_time: 5_000 }), stepUp, expected)).toBe(
      'auth_time_too_old',
    );
    expect(rejectionReason(grant({ auth_time: undefined }), stepUp, expected)).toBe(
      'auth_time_too_old',
    );
  });
});

test('no sign-in is taken for an API it was not for', () => {
  expect(
    rejectionReason(
      grant({}, { audience: ['https://other/'] }),
      { kind: 'login', returnTo: '', scope: [] },
      expected,
    ),
  ).toBe('wrong_audience');
});

test('a token that should be bound to a key and is not is never taken, nor the other way round', () => {
  const login = { kind: 'login', returnTo: '', scope: [] } as const;
  expect(rejectionReason(grant({}), login, { ...expected, bound: true })).toBe('not_bound');
  expect(
    rejectionReason(grant({}, { tokenType: 'DPoP' }), login, { ...expected, bound: true }),
  ).toBeUndefined();
  expect(rejectionReason(grant({}, { tokenType: 'DPoP' }), login, expected)).toBe('not_bound');
  expect(grantedToken(grant({}), expected.audience, 0, true)).toBeUndefined();
  expect(
    grantedToken(grant({}, { audience: ['https://other/'] }), expected.audience, 0, false),
  ).toBeUndefined();
  expect(grantedToken(grant({}), expected.audience, 0, false)).toMatchObject({
    audience: expected.audience,
    expiresAt: 1_000,
  });
});
