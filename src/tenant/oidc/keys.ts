import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';
import { certify } from './certificate.ts';

/** The signing key of a tenant: the private JWK for oidc-provider, the public one as `/.well-known/jwks.json` shows it. */
export interface SigningKey {
  privateJwk: JWK & { kid: string };
  publicJwk: JWK & { kid: string };
}

/** Makes a fresh RSA key of 2048 bits for RS256, about a tenth of a second's work. */
export async function createSigningKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
  });
  const [secret, open] = await Promise.all([exportJWK(privateKey), exportJWK(publicKey)]);
  const kid = await calculateJwkThumbprint(open);
  const common = { kid, use: 'sig', alg: 'RS256' };
  return {
    privateJwk: { ...secret, ...common },
    publicJwk: { ...open, ...common, ...certify(privateKey, publicKey, 'local-tenant') },
  };
}
