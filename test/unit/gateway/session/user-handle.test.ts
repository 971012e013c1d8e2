import { expect, test } from '@jest/globals';
import { createUserHandles } from '../../../../src/gateway/session/user-handle.ts';

const issuer = 'https://tenant.example/';
const session = (sub: string) => ({ record: { sub, idToken: '', tokens: [] } });
const [old, newer] = [
  'an old secret that is long enough to seal',
  'a new secret that is long enough to seal',
];
const named = (handle: string) => ({ headers: { 'x-account-user': handle } });

test('a handle made under any of the secrets is accepted, and a new one is made under the first', () => {
  const before = createUserHandles({ secrets: [old], issuer });
  const rotated = createUserHandles({ secrets: [newer, old], issuer });
  const after = createUserHandles({ secrets: [newer], issuer });
  const ann = session('auth0|ann');
  expect(rotated.checked(named(before.of(ann)), ann)).toBe(ann);
  expect(rotated.checked(named(after.of(ann)), ann)).toBe(ann);
  expect(rotated.of(ann)).toBe(after.of(ann));
  expect(() => after.checked(named(before.of(ann)), ann)).toThrow('another user');
});

test('it is keyed by the server, the issuer and the subject, and by nothing else', () => {
  const handles = createUserHandles({ secrets: [old], issuer });
  const ann = handles.of(session('auth0|ann'));
  expect(handles.of(session('auth0|ann'))).toBe(ann);
  const others = [
    handles.of(session('auth0|bob')),
    createUserHandles({ secrets: [newer], issuer }).of(session('auth0|ann')),
    createUserHandles({ secrets: [old], issuer: 'https://other.example/' }).of(
      session('auth0|ann'),
    ),
  ];
  expect(new Set([ann, ...others]).size).toBe(4);
});
