import type { Auth0, KeyPair } from './auth0.ts';
import { OAuthError, type Grant } from './grant.ts';

/** Auth0's endpoints for sign-in without a redirect; each call throws OAuthError for a refusal, Failure `upstream_unreachable` or `upstream_timeout` otherwise. */
export interface EmbeddedAuth0 {
  /** Begins a passkey ceremony (`/passkey/challenge`, `/passkey/register`); the session it answers is for the server alone. */
  passkey(step: 'challenge' | 'register', members: Members): Promise<{ authSession: string; publicKey: Members }>;
  /** What a user who must prove a second factor has (`GET /mfa/authenticators`). */
  authenticators(mfaToken: string): Promise<readonly unknown[]>;
  /** Begins the enrolment of a first factor (`POST /mfa/associate`). */
  associate(mfaToken: string, members: Members): Promise<Members>;
  /** Sends a code or a push (`POST /mfa/challenge`). */
  challenge(mfaToken: string, members: Members): Promise<Members>;
  /** A grant at the token endpoint, its ID token verified; `address` is the end user's, for Auth0's attack protection. */
  grant(type: string, members: Members, by: { dpop?: KeyPair | undefined; address?: string }): Promise<EmbeddedGrant>;
}

/** A grant, and the recovery code that takes the place of one just used. */
export interface EmbeddedGrant {
  readonly grant: Grant;
  readonly recoveryCode?: string | undefined;
}

type Members = Readonly<Record<string, unknown>>;

/** Makes the calls of embedded login from the two that carry them: grants, and JSON calls with client authentication or an MFA token as bearer. */
export const createEmbeddedAuth0 = ({ grant, direct }: Pick<Auth0, 'grant' | 'direct'>): EmbeddedAuth0 => ({
  async passkey(step, members) {
    const { auth_session: authSession, authn_params_public_key: publicKey } = membersOf(await direct(`/passkey/${step}`, { members }));
    if (typeof authSession !== 'string') throw new OAuthError('invalid_response', {});
    return { authSession, publicKey: membersOf(publicKey) };
  },
  async authenticators(mfaToken) {
    const answer = await direct('/mfa/authenticators', { bearer: mfaToken });
    return Array.isArray(answer) ? (answer as unknown[]) : [];
  },
  associate: async (mfaToken, members) => membersOf(await direct('/mfa/associate', { members, bearer: mfaToken })),
  challenge: async (mfaToken, members) => membersOf(await direct('/mfa/challenge', { members: { ...members, mfa_token: mfaToken } })),
  async grant(type, members, { dpop, address }) {
    const parameters: Record<string, string> = {};
    const nested: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(members)) {
      if (typeof value === 'string') parameters[name] = value;
      else if (value !== undefined) nested[name] = value;
    }
    const some = Object.keys(nested).length > 0;
    const made = await grant(type, parameters, { dpop, forwardedFor: address, ...(some && { nested }) });
    return { grant: made, recoveryCode: made.recoveryCode };
  },
});

const membersOf = (value: unknown): Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
