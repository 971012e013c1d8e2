import type { TokenEndpointGrantContext } from 'oidc-provider';
import { scopeList, type GrantType, type Parts } from '../oidc/context.ts';
import type { DemandMfa } from '../oidc/refresh.ts';
import { TokenError } from '../oidc/resources.ts';
import type { Pushes } from '../second-factor/push.ts';
import { issueTokens } from './issue.ts';
import { mfaGrants } from './mfa-grants.ts';
import type { MfaTokens } from './mfa-tokens.ts';
import type { Passkeys } from './passkeys.ts';
import { passwordGrant } from './password.ts';
import { demandSecondFactor } from './mfa-required.ts';

/** What the embedded grants work with. */
export interface EmbeddedParts {
  parts: Parts;
  mfaTokens: MfaTokens;
  pushes: Pushes;
  passkeys: Passkeys;
  demandMfa: DemandMfa;
}

const common = ['audience', 'scope', 'organization'];

/** Auth0's own grants by name: password, password-realm, the three of MFA, and native passkeys. */
export function embeddedGrantTypes({
  parts,
  mfaTokens,
  pushes,
  passkeys,
  demandMfa,
}: EmbeddedParts): Map<string, GrantType> {
  const password = {
    handler: passwordGrant(parts, demandMfa),
    parameters: [...common, 'username', 'password', 'realm'],
  };
  const mfa = mfaGrants(parts, mfaTokens, pushes);
  const proof = ['mfa_token', 'otp', 'oob_code', 'binding_code', 'recovery_code'];
  return new Map<string, GrantType>([
    ['password', password],
    ['http://auth0.com/oauth/grant-type/password-realm', password],
    ['http://auth0.com/oauth/grant-type/mfa-otp', { handler: mfa.otp, parameters: proof }],
    ['http://auth0.com/oauth/grant-type/mfa-oob', { handler: mfa.oob, parameters: proof }],
    [
      'http://auth0.com/oauth/grant-type/mfa-recovery-code',
      { handler: mfa.recovery, parameters: proof },
    ],
    [
      'urn:okta:params:oauth:grant-type:webauthn',
      { handler: webauthn, parameters: [...common, 'auth_session', 'authn_response', 'realm'] },
    ],
  ]);

  async function webauthn(ctx: TokenEndpointGrantContext): Promise<void> {
    const { params, client } = ctx.oidc;
    const session = params['auth_session'];
    if (typeof session !== 'string')
      throw new TokenError(400, 'invalid_request', 'Missing required parameter: auth_session');
    const user = await passkeys.finish(client.clientId, session, params['authn_response']);
    if (user.blocked) throw new TokenError(403, 'unauthorized', 'user is blocked');
    const audience =
      typeof params['audience'] === 'string'
        ? params['audience']
        : parts.state.settings().default_audience;
    const login = {
      userId: user.user_id,
      clientId: client.clientId,
      scope: scopeList(params.scope),
      ...(audience === undefined ? {} : { audience }),
    };
    demandSecondFactor(parts, login, demandMfa);
    await issueTokens(parts, ctx, { ...login, way: 'webauthn' });
  }
}
