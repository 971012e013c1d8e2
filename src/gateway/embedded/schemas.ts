import type { Request } from 'express';
import { z } from 'zod';
import { Failure } from '../http/errors.ts';

const text = z.string().min(1).max(300);
const code = z.string().min(1).max(100);
const bytes = z.base64url().max(8_192);

const credential = <S extends z.ZodType>(response: S) =>
  z.strictObject({
    id: bytes,
    rawId: bytes,
    type: z.literal('public-key'),
    authenticatorAttachment: z.enum(['platform', 'cross-platform']).nullish(),
    clientExtensionResults: z.record(z.string().max(100), z.unknown()).optional(),
    response,
  });

/**
 * What each route takes: closed schemas, in Auth0's names, so that what is sent on is what is
 * meant.
 */
export const schemas = {
  password: z.strictObject({ username: text, password: z.string().min(1).max(1_000) }),
  passkeyChallenge: z.strictObject({}),
  passkeyRegister: z.strictObject({
    user_profile: z.strictObject({
      email: z.email().max(300).optional(),
      phone_number: text.optional(),
      username: text.optional(),
      name: text.optional(),
      given_name: text.optional(),
      family_name: text.optional(),
      nickname: text.optional(),
    }),
  }),
  passkeyVerify: z.strictObject({
    authn_response: z.union([
      credential(
        z.strictObject({
          clientDataJSON: bytes,
          attestationObject: bytes,
          // What PublicKeyCredential.toJSON() adds of itself (WebAuthn Level 3 section 5.1).
          authenticatorData: bytes.optional(),
          publicKey: bytes.optional(),
          publicKeyAlgorithm: z.number().optional(),
          transports: z.array(z.string().max(50)).max(20).optional(),
        }),
      ),
      credential(
        z.strictObject({
          clientDataJSON: bytes,
          authenticatorData: bytes,
          signature: bytes,
          userHandle: bytes.nullish(),
        }),
      ),
    ]),
  }),
  mfaChallenge: z.strictObject({
    challenge_type: z.enum(['otp', 'oob', 'otp oob']).default('otp oob'),
    authenticator_id: text.optional(),
  }),
  mfaAssociate: z.union([
    z.strictObject({ authenticator_types: z.tuple([z.literal('otp')]) }),
    z.strictObject({
      authenticator_types: z.tuple([z.literal('oob')]),
      oob_channels: z.tuple([z.enum(['sms', 'voice', 'email', 'auth0'])]),
      phone_number: text.optional(),
      email: z.email().max(300).optional(),
    }),
  ]),
  mfaVerify: z.union([
    z.strictObject({ otp: code }),
    z.strictObject({ recovery_code: code }),
    z.strictObject({ binding_code: code }),
    z.strictObject({}),
  ]),
};

/**
 * A request's body as the schema has it, or Failure `invalid_request` that names the members at
 * fault and never their values.
 */
export const bodyOf = <S extends z.ZodType>(req: Request, schema: S): z.output<S> => {
  const parsed = schema.safeParse(req.body ?? {});
  if (parsed.success) return parsed.data;
  const members = [
    ...new Set(parsed.error.issues.map(({ path }) => path.join('.')).filter((path) => path !== '')),
  ];
  throw new Failure('invalid_request', {
    detail:
      members.length === 0
        ? 'The body does not have the members this route takes.'
        : `Not as expected: ${members.join(', ')}.`,
  });
};
