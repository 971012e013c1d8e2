import { z } from 'zod';
import { originFits } from '../me/relying-party.ts';
import { TokenError } from '../oidc/resources.ts';

/** The failure of a passkey that does not fit, as the token endpoint answers it. */
export const refused = (detail: string): TokenError => new TokenError(403, 'invalid_grant', detail);

const responseSchema = z.looseObject({
  id: z.string(),
  rawId: z.string(),
  type: z.literal('public-key'),
  response: z.looseObject({ clientDataJSON: z.string() }),
  clientExtensionResults: z.record(z.string(), z.unknown()).default({}),
});

/** An object, or the same as text: Auth0's page shows the one, its SDKs send the other. */
export function parseResponse(given: unknown): z.infer<typeof responseSchema> {
  try {
    return responseSchema.parse(typeof given === 'string' ? JSON.parse(given) : given);
  } catch {
    throw new TokenError(400, 'invalid_request', 'authn_response is not a WebAuthn response');
  }
}

/**
 * The page's origin as the browser signed it, when it may use credentials of this relying party.
 */
export function originOf(
  { response }: { response: { clientDataJSON: string } },
  rpId: string,
): string {
  const data = z
    .looseObject({ origin: z.string() })
    .safeParse(JSON.parse(Buffer.from(response.clientDataJSON, 'base64url').toString() || '{}'));
  const origin = data.success ? data.data.origin : '';
  if (!originFits(origin, rpId)) throw refused('The passkey was used on another site.');
  return origin;
}
