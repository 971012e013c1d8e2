import { createPrivateKey } from 'node:crypto';
import { statSync } from 'node:fs';
import { z } from 'zod';

const minimumSecretBytes = 32;

const loopbackName =
  /^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/** A whole number between two others. */
export const whole = (least: number, most: number) =>
  z.coerce.number(`must be a whole number`).int('must be a whole number').min(least).max(most);
/** Any text, or nothing. */
export const optional = z.string().optional();
/** A switch: true or false, 1 or 0, on or off. */
export const onOff = z
  .enum(['true', 'false', '1', '0', 'on', 'off'], 'must be true or false')
  .transform((value) => value === 'true' || value === '1' || value === 'on');

/** A host name, answered as the origin to call: https, except on this machine. */
export const domain = z
  .string('is missing: the domain of your Auth0 tenant, for example my-tenant.eu.auth0.com')
  .transform((value, context) => {
    const spelled = /^https?:\/\//i.test(value) ? value : undefined;
    const bare = value.replace(/^https?:\/\//i, '').replace(/\/$/, '');
    const host = URL.parse(`https://${bare}`);
    if (
      host === null ||
      host.host === '' ||
      host.pathname !== '/' ||
      host.search !== '' ||
      host.username !== '' ||
      host.hash !== ''
    ) {
      context.addIssue(
        `is not a domain: give the host name alone, for example my-tenant.eu.auth0.com`,
      );
      return z.NEVER;
    }
    const loopback = loopbackName.test(host.hostname);
    if (spelled?.toLowerCase().startsWith('http:') === true && !loopback) {
      context.addIssue(
        'may use plain http on this machine only (localhost, *.localhost, 127.0.0.1): leave the scheme away for https',
      );
      return z.NEVER;
    }
    const scheme =
      loopback && spelled?.toLowerCase().startsWith('https:') !== true ? 'http' : 'https';
    return `${scheme}://${bare.toLowerCase()}`;
  });

/** A comma-separated list of secrets, each long enough to seal with. */
export const secrets = z
  .string(
    `is missing: at least ${minimumSecretBytes} random bytes, made for example by: openssl rand -hex 32`,
  )
  .transform((value) => value.split(',').map((each) => each.trim()))
  .refine((list) => list.every((each) => Buffer.byteLength(each) >= minimumSecretBytes), {
    error: `is too short: every secret of the list needs at least ${minimumSecretBytes} bytes, made for example by: openssl rand -hex 32`,
  });

/** A public origin: https, or plain http on this machine only, where browsers keep cookies all the same. */
export const origin = z
  .string('is missing: the public origin of this gateway, for example https://account.example.com')
  .transform((value, context) => {
    const url = URL.parse(value);
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      context.addIssue(
        'is not an origin: write scheme and host, for example https://account.example.com',
      );
      return z.NEVER;
    }
    if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
      context.addIssue(`must be an origin alone, without path, query or user: ${url.origin}`);
      return z.NEVER;
    }
    if (url.protocol === 'http:' && !loopbackName.test(url.hostname)) {
      context.addIssue(
        'uses plain http: browsers drop Secure cookies there, so only localhost may; use https',
      );
      return z.NEVER;
    }
    return url.origin;
  });

/** A private key in PEM, its line breaks as they are or written as backslash and n. */
export const signingKey = z.string().transform((value, context) => {
  const pem = value.replaceAll('\\n', '\n');
  try {
    createPrivateKey(pem);
    return pem;
  } catch {
    context.addIssue(
      'is not a private key: give a PKCS#8 or PKCS#1 PEM, line breaks as they are or written as \\n',
    );
    return z.NEVER;
  }
});

/** An address of Redis in one of its forms. */
export const redisUrl = z
  .string()
  .refine((value) => /^(redis|rediss)(\+(sentinel|cluster|unix))?:\/\/.+/.test(value), {
    error:
      'is not a Redis address: redis://, rediss://, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port',
  });

/** Proxies to believe: a number of hops, or addresses, ranges and names of ranges; never everyone. */
export const proxies = z.string().transform((value, context) => {
  if (/^\d+$/.test(value)) return Number(value);
  if (value === 'true') {
    context.addIssue(
      'must not trust everyone: name the proxies (addresses, ranges, loopback, linklocal, uniquelocal) or the number of hops',
    );
    return z.NEVER;
  }
  return value.split(',').map((each) => each.trim());
});

/** A folder that is there. */
export const folder = z
  .string()
  .refine(
    (value) => statSync(value, { throwIfNoEntry: false })?.isDirectory() === true,
    'is not a folder',
  );

/** A limit of requests, or nothing. */
export const rate = whole(1, 1_000_000).optional();

const signatures = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
];

/** A list of signature algorithms with public keys (RFC 7518 section 3.1), RS256 alone by default. */
export const algorithms = z
  .string()
  .default('RS256')
  .transform((value) => value.split(',').map((each) => each.trim()))
  .refine((list) => list.every((each) => signatures.includes(each)), {
    error: `must be a list of: ${signatures.join(', ')}`,
  });
