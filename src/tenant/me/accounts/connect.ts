import { randomBytes } from 'node:crypto';
import { CONNECT_SECONDS, verifierFits } from './connecting.ts';
import type { ConnectedAccount } from '../../state/users.ts';
import type { Answer, Call } from '../parts.ts';
import { Problem } from '../problems.ts';
import { completeSchema, connectSchema } from '../schemas-accounts.ts';
import { createCheck } from '../validate.ts';

interface ConnectBody {
  readonly connection: string;
  readonly redirect_uri: string;
  readonly state?: string;
  readonly code_challenge?: string;
  readonly scopes?: readonly string[];
}

interface CompleteBody {
  readonly auth_session: string;
  readonly connect_code: string;
  readonly redirect_uri: string;
  readonly code_verifier?: string;
}

const checkConnect = createCheck<ConnectBody>(connectSchema);
const checkComplete = createCheck<CompleteBody>(completeSchema);

/** Where the provider's page of a tenant is, below its origin. */
export const CONNECT_PATH = '/connected-accounts/connect';

/**
 * POST /connected-accounts/connect: a ticket for the provider's page, and the session to complete
 * with.
 */
export function startConnecting({ origin, settings, user, token, connecting, body }: Call): Answer {
  const wanted = checkConnect(body);
  const connection = settings.connections.find((one) => one.name === wanted.connection);
  if (!connection)
    throw new Problem('invalid_request', { detail: 'The connection does not exist.' });
  const client = settings.clients.find((one) => one.client_id === token.clientId);
  if (
    settings.switches.connectRedirect === 'registered' &&
    client &&
    !client.callbacks.includes(wanted.redirect_uri)
  ) {
    throw new Problem('invalid_request', {
      detail: 'The redirect_uri is not among the allowed callback URLs of the application.',
    });
  }
  const begun = connecting.begin({
    userId: user.user_id,
    connection: connection.name,
    redirectUri: wanted.redirect_uri,
    scopes: wanted.scopes ?? connection.scopes ?? [],
    state: wanted.state,
    codeChallenge: wanted.code_challenge,
  });
  return {
    status: 201,
    body: {
      connect_uri: `${origin}${CONNECT_PATH}`,
      auth_session: begun.authSession,
      connect_params: { ticket: begun.ticket },
      expires_in: CONNECT_SECONDS,
    },
  };
}

/**
 * POST /connected-accounts/complete: the account the user chose at the provider becomes one of
 * theirs.
 */
export function completeConnecting({
  state,
  settings,
  user,
  connecting,
  logins,
  body,
}: Call): Answer {
  const given = checkComplete(body);
  const begun = connecting.bySession(given.auth_session);
  if (begun?.userId !== user.user_id)
    throw new Problem('not_found', { detail: 'Invalid or expired session' });
  const fits =
    begun.connectCode === given.connect_code &&
    begun.redirectUri === given.redirect_uri &&
    verifierFits(begun, given.code_verifier);
  if (!fits)
    throw new Problem('refused_proof', {
      detail: 'Invalid connect_code, redirect_uri or code_verifier.',
    });
  connecting.end(begun);

  const sameAccount = (one: ConnectedAccount): boolean =>
    one.connection === begun.connection && logins.get(one) === begun.login;
  if (user.connectedAccounts.some(sameAccount) && settings.switches.connectedAgain === 'conflict') {
    throw new Problem('duplicate', { detail: 'The account is already connected.' });
  }
  const { connection, scopes } = begun;
  const account: ConnectedAccount = {
    id: `cac_${randomBytes(11).toString('hex')}`,
    connection,
    access_type: 'offline',
    scopes: [...scopes],
    created_at: state.clock.iso(),
  };
  logins.set(account, begun.login ?? '');
  user.connectedAccounts = [...user.connectedAccounts.filter((one) => !sameAccount(one)), account];
  return { status: settings.switches.connectCompleteStatus, body: account };
}
