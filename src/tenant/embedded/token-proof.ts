import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';

const windowSeconds = 300;

/**
 * Checks the DPoP proof of a token request for an embedded grant (RFC 9449 section 4.3) and answers the thumbprint of its key;
 * undefined when none was sent. oidc-provider does this itself for its own grants only. The proof has the client's clock.
 */
export async function tokenProof(ctx: KoaContextWithOIDC): Promise<string | undefined> {
  const proof = ctx.get('dpop');
  if (proof === '') return undefined;
  const verified = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: ['ES256', 'RS256'],
  }).catch((cause: unknown) => {
    throw new errors.InvalidDpopProof('invalid DPoP key binding', { cause });
  });
  const { payload, protectedHeader } = verified;
  const fits = payload['htm'] === 'POST' && payload['htu'] === `${ctx.oidc.issuer}oauth/token`;
  const age = Math.abs(Date.now() / 1000 - (payload.iat ?? 0));
  const { jti } = payload;
  if (!fits || age > windowSeconds || protectedHeader.jwk === undefined || jti === undefined)
    throw new errors.InvalidDpopProof('DPoP proof does not fit the request');
  const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk);
  const until = Math.floor(Date.now() / 1000) + windowSeconds;
  const isNew = await ctx.oidc.provider.ReplayDetection.unique(thumbprint, jti, until);
  if (!isNew) throw new errors.InvalidDpopProof('DPoP proof JWT Replay detected');
  return thumbprint;
}
