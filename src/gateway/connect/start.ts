import { createHash, randomBytes } from 'node:crypto';
import type { RequestHandler } from 'express';
import { Failure } from '../http/errors.ts';
import type { Log } from '../http/log.ts';
import { redirect } from '../http/redirect.ts';
import { crossSite, foreign } from '../http/same-origin.ts';
import type { Pending } from '../session/pending.ts';
import type { Seal } from '../session/seal.ts';
import { pathOf, readReturnTo } from '../http/return-to.ts';
import type { Tokens } from '../my-account/context.ts';
import { connectScope, createConnectCall, type ConnectCallParts } from './call.ts';
import { createResume } from './resume.ts';

/** A connection under way, kept on the server under the browser's cookie. */
export interface Connecting {
  readonly user: string;
  readonly authSession: string;
  readonly verifier: string;
  readonly returnTo: string;
}

/** What both steps need. */
export interface ConnectParts extends ConnectCallParts {
  readonly origin: string;
  readonly tokens: Pick<Tokens, 'scopes'>;
  readonly pending: Pending<Connecting>;
  /** Seals `state`, so that returnTo is known even when the browser's part of it is lost. */
  readonly seal: Seal;
  readonly log: Log;
}

const none = Buffer.alloc(0);

/** Makes `GET /auth/connect`: asks the My Account API for a ticket, keeps its auth_session here, and sends the browser to the provider. */
export const createConnectStart = (parts: ConnectParts): RequestHandler => {
  const { origin, tokens, challenge, pending, seal, log } = parts;
  const call = createConnectCall('begin', parts);
  const resume = createResume(seal);

  return async function startConnect(req, res) {
    const query = new URL(req.originalUrl, origin).searchParams;
    const returnTo = pathOf(readReturnTo(query.get('returnTo'), origin));
    const session = req.account;
    const reason = foreign(req, origin);
    const resumed = session !== undefined && resume.accepts(session, query.get('resume'));
    if (reason !== undefined && req.headers['sec-fetch-site'] !== undefined && !resumed)
      throw crossSite(reason);
    if (session === undefined)
      throw new Failure('login_required', {
        members: { loginUrl: `/auth/login?${new URLSearchParams({ returnTo }).toString()}` },
      });
    const [connection = '', ...more] = query.getAll('connection');
    if (more.length > 0 || !/^[^\p{Cc}]{1,128}$/u.test(connection))
      throw new Failure('invalid_request', {
        detail: 'Name one connection.',
        members: { returnTo },
      });

    const again = resume.address(session, { connection, returnTo });
    if (!tokens.scopes(session).includes(connectScope))
      throw challenge({
        session,
        scope: [connectScope],
        reason: 'insufficient_scope',
        returnTo: again,
      });
    const slot = randomBytes(16).toString('base64url');
    const verifier = randomBytes(32).toString('base64url');
    const state = seal
      .seal(Buffer.from(JSON.stringify({ slot, returnTo, connection })), none)
      .toString('base64url');
    const asked = {
      connection,
      redirect_uri: `${origin}/auth/connect/callback`,
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    const { status, body } = await call(req, session, asked, again);
    const { connect_uri: uri, auth_session: authSession, connect_params: params } = body;
    const ticket =
      typeof params === 'object' && params !== null && 'ticket' in params
        ? params.ticket
        : undefined;
    const target = typeof uri === 'string' ? URL.parse(uri) : null;
    if (
      status !== 201 ||
      target === null ||
      typeof authSession !== 'string' ||
      typeof ticket !== 'string'
    ) {
      log.warn(
        { event: 'connect_failed', status },
        'the My Account API did not begin a connection',
      );
      throw new Failure('connect_failed', {
        detail: 'Auth0 does not know this connection, or it cannot be used here.',
        members: { returnTo },
      });
    }
    target.searchParams.set('ticket', ticket);
    await pending.begin(req, res, { user: session.user, authSession, verifier, returnTo }, slot);
    redirect(res, 302, target.href);
  };
};
