import { createHash, createHmac, randomBytes } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';

// Auth0's discovery document names ES256 alone; a table of its documentation adds RS256.
const algorithms = ['ES256', 'RS256'];
// How far a proof's `iat` may be from this machine's time, and so how long a `jti` is remembered.
const WINDOW_SECONDS = 60;
const NONCE_SECONDS = 300;

/** What a proof is held against (RFC 9449 section 4.3). */
interface ProofContext {
  readonly proof: string;
  readonly accessToken: string;
  readonly jkt: string;
  readonly method: string;
  /** The URL of this request, without query or fragment. */
  readonly url: string;
  /** Whether the proof must carry a nonce of this server (section 9). */
  readonly nonceDemanded: boolean;
}

/**
 * The checker of DPoP proofs of one tenant; it remembers every `jti` while the proof could be sent
 * again.
 */
export interface ProofCheck {
  check(context: ProofContext): Promise<'fits' | 'invalid_dpop_proof' | 'use_dpop_nonce'>;
  /** The nonce a client should put into its next proof. */
  nonce(): string;
}

/**
 * Makes the checker. Clients make proofs with the machine's clock, so it holds here too, whatever
 * the tenant's clock was moved to.
 */
export function createProofCheck(now: () => number = Date.now): ProofCheck {
  const secret = randomBytes(32);
  const seen = new Map<string, number>();
  const nonceOf = (period: number): string =>
    createHmac('sha256', secret).update(String(period)).digest('base64url').slice(0, 22);
  const period = (): number => Math.floor(now() / 1000 / NONCE_SECONDS);

  function firstUse(id: string): boolean {
    // The oldest come first, so the sweep ends at the first that still counts.
    for (const [known, until] of seen) {
      if (until >= now()) break;
      seen.delete(known);
    }
    if (seen.has(id)) return false;
    seen.set(id, now() + 2 * WINDOW_SECONDS * 1000);
    return true;
  }

  return {
    nonce: () => nonceOf(period()),
    async check({ proof, accessToken, jkt, method, url, nonceDemanded }) {
      const claims = await claimsOf(proof, jkt, new Date(now()));
      if (!claims) return 'invalid_dpop_proof';
      const ath = createHash('sha256').update(accessToken).digest('base64url');
      const htu = typeof claims['htu'] === 'string' ? normal(claims['htu']) : undefined;
      const fits =
        claims['htm'] === method &&
        htu !== undefined &&
        htu === normal(url) &&
        claims['ath'] === ath;
      if (!fits || typeof claims.jti !== 'string' || typeof claims.iat !== 'number')
        return 'invalid_dpop_proof';
      if (Math.abs(now() / 1000 - claims.iat) > WINDOW_SECONDS) return 'invalid_dpop_proof';
      if (
        nonceDemanded &&
        ![nonceOf(period()), nonceOf(period() - 1)].includes(String(claims['nonce']))
      )
        return 'use_dpop_nonce';
      return firstUse(`${jkt} ${claims.jti}`) ? 'fits' : 'invalid_dpop_proof';
    },
  };
}

/** A URL as section 4.3 compares it: normalized, without query and fragment. */
function normal(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/%[0-9a-f]{2}/gi, (code) => code.toUpperCase())}`;
}

async function claimsOf(proof: string, jkt: string, currentDate: Date) {
  try {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms,
      currentDate,
    });
    const thumbprint = protectedHeader.jwk && (await calculateJwkThumbprint(protectedHeader.jwk));
    return thumbprint === jkt ? payload : undefined;
  } catch {
    return undefined;
  }
}
