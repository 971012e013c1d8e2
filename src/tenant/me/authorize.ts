import type { IncomingMessage } from 'node:http';
import type { Settings } from '../state/settings.ts';
import type { UserRecord } from '../state/users.ts';
import type { ProofCheck } from './dpop.ts';
import type { AccessToken, MeParts } from './parts.ts';
import { Problem, type ProblemName } from './problems.ts';

/** Whose request it is and what the token allows. */
export interface Authorized {
  readonly user: UserRecord;
  readonly token: AccessToken;
}

/**
 * Reads the access token of a request, Bearer (RFC 6750) or DPoP with its proof (RFC 9449 section
 * 7); throws a 401 with a challenge for anything else.
 *
 * The challenge is what the standards ask for; whether Auth0 sends one is not known, so a switch
 * turns it off.
 */
export async function authorize(
  request: IncomingMessage,
  path: string,
  { state, authenticate, originOf }: MeParts,
  proofs: ProofCheck,
): Promise<Authorized> {
  const settings = state.settings();
  const mode = settings.my_account.dpop;
  const refuse = (problem: ProblemName, error: string | undefined, detail?: string): Problem =>
    new Problem(problem, {
      ...(detail === undefined ? {} : { detail }),
      headers: challenge(settings, error, mode === 'required' ? 'DPoP' : scheme),
    });
  const [, given = '', value = ''] =
    /^(\S+)(?:\s+(\S+))?\s*$/.exec(request.headers.authorization ?? '') ?? [];
  const scheme = given.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer';
  if (value === '' || !['bearer', 'dpop'].includes(given.toLowerCase()))
    throw refuse('missing_token', undefined);

  const token = await authenticate(value, request);
  const user = token && state.users.get(token.sub);
  if (!user || user.blocked) throw refuse('invalid_token', 'invalid_token');
  // A bound token under `Bearer`, or an unbound one under `DPoP`, is a downgrade (section 7.2).
  if ((token.jkt !== undefined) !== (scheme === 'DPoP'))
    throw refuse('invalid_token', 'invalid_token');
  if ((mode === 'required' && scheme !== 'DPoP') || (mode === 'none' && scheme === 'DPoP'))
    throw refuse('invalid_token', 'invalid_token');
  if (token.jkt === undefined) return { user, token };

  const proof = request.headers['dpop'];
  const outcome = await proofs.check({
    proof: typeof proof === 'string' ? proof : '',
    accessToken: value,
    jkt: token.jkt,
    method: request.method ?? '',
    url: `${originOf(request)}${path}`,
    nonceDemanded: settings.switches.dpopNonceOnMyAccount,
  });
  if (outcome === 'fits') return { user, token };
  const refusal = refuse('invalid_token', outcome);
  // The nonce is no matter of taste: without it the client could not go on (section 9).
  throw outcome === 'use_dpop_nonce'
    ? new Problem('invalid_token', {
        headers: { ...challenge(settings, outcome, 'DPoP', true), 'DPoP-Nonce': proofs.nonce() },
      })
    : refusal;
}

/** Throws the 403 of a token without the scope an operation asks for. */
export function demandScope({ token }: Authorized, scope: string, settings: Settings): void {
  if (token.scope.includes(scope)) return;
  throw new Problem('insufficient_scope', {
    detail: `The auth token lacks the required scope: ${scope}`,
    headers: challenge(
      settings,
      'insufficient_scope',
      token.jkt === undefined ? 'Bearer' : 'DPoP',
      false,
      scope,
    ),
  });
}

const descriptions: Readonly<Record<string, string>> = {
  invalid_token: 'Invalid Token',
  insufficient_scope: 'Insufficient Scope',
  invalid_dpop_proof: 'Invalid DPoP proof',
  use_dpop_nonce: 'Resource server requires nonce in DPoP proof',
};

function challenge(
  settings: Settings,
  error: string | undefined,
  scheme: string,
  always = false,
  scope?: string,
): Record<string, string> {
  if (!settings.switches.wwwAuthenticate && !always) return {};
  const parameters = [
    'realm="api"',
    ...(error === undefined
      ? []
      : [`error="${error}"`, `error_description="${descriptions[error] ?? error}"`]),
    ...(scope === undefined ? [] : [`scope="${scope}"`]),
    ...(scheme === 'DPoP' ? ['algs="ES256"'] : []),
  ];
  return { 'WWW-Authenticate': `${scheme} ${parameters.join(', ')}` };
}
