import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
} from 'jose';
import { startBench, tokenOf, type Bench } from './my-account-bench.ts';

let bench: Bench;
let key: CryptoKey;
let jwk: JWK;
let token = '';

beforeAll(async () => {
  bench = await startBench({ limits: { enforced: false } });
  const pair = await generateKeyPair('ES256');
  key = pair.privateKey;
  jwk = await exportJWK(pair.publicKey);
});
beforeEach(async () => {
  bench.state.reset();
  token = tokenOf(bench.user(), ['read:me:factors'], { jkt: await calculateJwkThumbprint(jwk) });
});
afterAll(async () => {
  await bench.close();
});

interface Proof {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  signer?: CryptoKey;
}

async function proof({ claims = {}, header = {}, signer = key }: Proof = {}): Promise<string> {
  const ath = createHash('sha256').update(token).digest('base64url');
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    htm: 'GET',
    htu: `${bench.origin}/me/v1/factors`,
    ath,
    jti: randomUUID(),
    iat: now,
    ...claims,
  })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header })
    .sign(signer);
}

const call = (dpop: string | undefined, scheme = 'DPoP') =>
  bench.call('GET', '/factors', {
    headers: { authorization: `${scheme} ${token}`, ...(dpop === undefined ? {} : { dpop }) },
  });

describe('a token bound to a key', () => {
  test('is good with a proof by that key for this request', async () => {
    expect((await call(await proof())).status).toBe(200);
  });

  test('is good with a URL that differs in query only', async () => {
    expect(
      (await call(await proof({ claims: { htu: `${bench.origin}/me/v1/factors?x=1` } }))).status,
    ).toBe(200);
  });

  test('is refused as a bearer token, and without a proof', async () => {
    expect((await call(await proof(), 'Bearer')).status).toBe(401);
    expect((await call(undefined)).status).toBe(401);
  });

  test.each([
    ['another method', { htm: 'POST' }],
    ['another URL', { htu: 'https://else.example/me/v1/factors' }],
    ['another token', { ath: createHash('sha256').update('else').digest('base64url') }],
    ['no jti', { jti: undefined }],
    ['an iat long past', { iat: Math.floor(Date.now() / 1000) - 3600 }],
    ['an iat in the future', { iat: Math.floor(Date.now() / 1000) + 3600 }],
  ])('is refused with a proof for %s', async (_, claims) => {
    const refused = await call(await proof({ claims }));
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain(
      'DPoP realm="api", error="invalid_dpop_proof"',
    );
  });

  test('is refused with a proof by another key, in its own name or in the name of the right one', async () => {
    const other = await generateKeyPair('ES256');
    const otherJwk = await exportJWK(other.publicKey);
    expect(
      (await call(await proof({ signer: other.privateKey, header: { jwk: otherJwk } }))).status,
    ).toBe(401);
    expect((await call(await proof({ signer: other.privateKey }))).status).toBe(401);
  });

  test('is refused with a JWT that is no proof', async () => {
    expect((await call(await proof({ header: { typ: 'JWT' } }))).status).toBe(401);
    expect((await call('nonsense')).status).toBe(401);
  });

  test('is refused with a proof that was used before', async () => {
    const once = await proof();
    expect((await call(once)).status).toBe(200);
    expect((await call(once)).status).toBe(401);
  });

  test('keeps working when the tenant’s clock is moved: proofs are made with the machine’s', async () => {
    bench.state.configure({ clockOffsetSeconds: 3600 });
    expect((await call(await proof())).status).toBe(200);
  });
});

describe('the positions of DPoP on the API', () => {
  test('none: bound tokens are refused; required: unbound ones', async () => {
    bench.state.configure({ my_account: { dpop: 'none' } });
    expect((await call(await proof())).status).toBe(401);
    bench.state.configure({ my_account: { dpop: 'required' } });
    expect((await call(await proof())).status).toBe(200);
    const unbound = tokenOf(bench.user(), ['read:me:factors']);
    const refused = await bench.call('GET', '/factors', { token: unbound });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toMatch(/^DPoP /);
  });

  test('an unbound token under the scheme DPoP is refused', async () => {
    token = tokenOf(bench.user(), ['read:me:factors']);
    expect((await call(await proof())).status).toBe(401);
  });

  test('a nonce is demanded where the switch says so, handed out with the refusal and with every answer', async () => {
    bench.state.configure({ switches: { dpopNonceOnMyAccount: true } });
    const demanded = await call(await proof());
    expect(demanded.status).toBe(401);
    expect(demanded.headers.get('www-authenticate')).toContain(
      'DPoP realm="api", error="use_dpop_nonce"',
    );
    const nonce = demanded.headers.get('dpop-nonce');
    const good = await call(await proof({ claims: { nonce } }));
    expect(good.status).toBe(200);
    expect(good.headers.get('dpop-nonce')).toBe(nonce);
    expect((await call(await proof({ claims: { nonce: 'stale' } }))).status).toBe(401);
  });

  test('without challenges by switch, the demand for a nonce stays', async () => {
    bench.state.configure({ switches: { dpopNonceOnMyAccount: true, wwwAuthenticate: false } });
    expect((await call('nonsense')).headers.get('www-authenticate')).toBeNull();
    expect((await call(await proof())).headers.get('www-authenticate')).toContain('use_dpop_nonce');
  });
});
