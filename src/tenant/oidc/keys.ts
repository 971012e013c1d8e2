import { createHash, generateKeyPair, randomBytes, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';

/**
 * The signing key of a tenant: the private JWK for oidc-provider, the public one as
 * `/.well-known/jwks.json` shows it.
 */
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

/** A certificate in the two forms a JWK carries it (RFC 7517 sections 4.7 and 4.8). */
interface KeyCertificate {
  x5c: string[];
  x5t: string;
}

const SHA256_WITH_RSA = Buffer.from('06092a864886f70d01010b', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');

/** DER (X.690): a tag, the length, the content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length =
    body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}
const sequence = (...content: Buffer[]): Buffer => der(0x30, ...content);
const time = (at: Date): Buffer =>
  der(0x17, Buffer.from(`${at.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));

/**
 * Makes the self-signed certificate that an Auth0 tenant publishes beside its signing key: RSA with
 * SHA-256, good for ten years (RFC 5280 section 4.1).
 */
function certify(privateKey: KeyObject, publicKey: KeyObject, commonName: string): KeyCertificate {
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName)))));
  const algorithm = sequence(SHA256_WITH_RSA, der(0x05));
  const from = new Date();
  const until = new Date(from.getTime() + 10 * 365 * 86_400_000);
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    // A leading 1 keeps the serial number positive and of full length.
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const certificate = sequence(
    content,
    algorithm,
    der(0x03, Buffer.from([0]), sign('sha256', content, privateKey)),
  );
  return {
    x5c: [certificate.toString('base64')],
    x5t: createHash('sha1').update(certificate).digest('base64url'),
  };
}
