import { createHash, randomUUID, webcrypto } from 'node:crypto';
import { SignJWT } from 'jose';
import type { KeyPair } from '../auth0/auth0.ts';
import type { JsonWebKeyPair } from '../session/record.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };

/**
 * Makes the key of a new session, as the JWK that is sealed with it (ES256, the algorithm Auth0
 * announces).
 */
export const newSessionKey = async (): Promise<JsonWebKeyPair> => {
  const { privateKey } = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const { x, y, d } = await webcrypto.subtle.exportKey('jwk', privateKey);
  if (x === undefined || y === undefined || d === undefined)
    throw new TypeError('not an elliptic curve key');
  return { kty: 'EC', crv: 'P-256', x, y, d };
};

/** Returns the key pair of a session's JWK. */
export const readSessionKey = async ({ d, ...open }: JsonWebKeyPair): Promise<KeyPair> => ({
  privateKey: await webcrypto.subtle.importKey('jwk', { ...open, d }, algorithm, false, ['sign']),
  publicKey: await webcrypto.subtle.importKey('jwk', open, algorithm, true, ['verify']),
});

/**
 * Makes a proof for one request to a resource server (RFC 9449 section 4.2), with the access
 * token's hash and, when it was demanded, a nonce; `skewSeconds` makes its time that of the server.
 */
export const proofFor = async (
  jwk: JsonWebKeyPair,
  request: {
    method: string;
    url: string;
    token: string;
    nonce?: string | undefined;
    skewSeconds?: number;
  },
): Promise<string> => {
  const { d: _private, ...open } = jwk;
  const { privateKey } = await readSessionKey(jwk);
  const url = new URL(request.url);
  const ath = createHash('sha256').update(request.token).digest('base64url');
  return new SignJWT({
    htm: request.method,
    htu: `${url.origin}${url.pathname}`,
    ath,
    jti: randomUUID(),
    ...(request.nonce !== undefined && { nonce: request.nonce }),
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: open })
    .setIssuedAt(Math.floor(Date.now() / 1000) + (request.skewSeconds ?? 0))
    .sign(privateKey);
};

/** The nonce that each server asked for last (RFC 9449 section 9); it belongs to no user. */
export interface DpopNonces {
  /** Returns the one for a request to this URL; undefined when none was asked for. */
  of(url: string): string | undefined;
  /**
   * Takes the headers of a 401: keeps the nonce of a challenge for one, and drops the one that was
   * sent. Returns whether it was such a challenge.
   */
  rejected(url: string, headers: Readonly<Record<string, string | string[] | undefined>>): boolean;
}

// RFC 9449 section 8.1: 1*NQCHAR. The length is ours: a proof travels in a header of every request.
const nonceForm = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

/** Makes the memory of nonces; only those of the origins named are kept. */
export const createDpopNonces = (origins: readonly string[]): DpopNonces => {
  const nonces = new Map<string, string>();
  return {
    of: (url) => nonces.get(new URL(url).origin),
    rejected(url, headers) {
      const { origin } = new URL(url);
      nonces.delete(origin);
      const challenge = /_dpop_nonce/.test(String(headers['www-authenticate']));
      const nonce = headers['dpop-nonce'];
      const good = typeof nonce === 'string' && nonceForm.test(nonce) && origins.includes(origin);
      if (challenge && good) nonces.set(origin, nonce);
      return challenge;
    },
  };
};
