import type { Call } from '../parts.ts';

/** The tenant's name for people: the first label of its host, as Auth0 names a tenant. */
export function tenantName(origin: string): string {
  const { hostname } = new URL(origin);
  return /^[\d.[\]:]+$/.test(hostname) ? 'local-tenant' : (hostname.split('.')[0] ?? hostname);
}

/** What the QR code of an authenticator says: tenant and user id as label, as in the samples of Auth0's OpenAPI file. */
export function barcodeUri({ origin, user }: Call, secret: string): string {
  const issuer = encodeURIComponent(tenantName(origin));
  return `otpauth://totp/${issuer}:${encodeURIComponent(user.user_id)}?secret=${secret}&issuer=${issuer}&algorithm=SHA1&digits=6&period=30`;
}
