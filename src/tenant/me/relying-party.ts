import { isIP } from 'node:net';

/**
 * The WebAuthn relying party id of a tenant at this origin: its host name, as Auth0 takes the
 * (custom) domain.
 *
 * An address is no relying party id (WebAuthn Level 3, section 5.1.3), so a tenant at a loopback
 * address goes by `localhost`.
 */
export function relyingPartyId(origin: string): string {
  const { hostname } = new URL(origin);
  return isIP(hostname.replace(/^\[|\]$/g, '')) ? 'localhost' : hostname;
}

/**
 * Whether a page at `origin` may use credentials of the relying party `id`: the same host or one
 * below it (WebAuthn, "registrable domain suffix").
 */
export function originFits(origin: string, id: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { hostname, protocol } = new URL(origin);
  const secure =
    protocol === 'https:' || hostname === 'localhost' || hostname.endsWith('.localhost');
  return secure && (hostname === id || hostname.endsWith(`.${id}`));
}
