import type { ErrorRequestHandler, RequestHandler } from 'express';
import { Failure } from '../http/errors.ts';
import { redirect } from '../http/redirect.ts';
import { createConnectCall } from './call.ts';
import { createResume } from './resume.ts';
import type { ConnectParts } from './start.ts';

const none = Buffer.alloc(0);

const readState = (
  seal: ConnectParts['seal'],
  state: string | null,
): { slot: string; returnTo: string; connection: string } | undefined => {
  const plain = seal.unseal(Buffer.from(state ?? '', 'base64url'), none);
  const said = plain === undefined ? {} : (JSON.parse(plain.toString()) as Record<string, unknown>);
  const { slot, returnTo, connection } = said;
  return typeof slot === 'string' && typeof returnTo === 'string' && typeof connection === 'string'
    ? { slot, returnTo, connection }
    : undefined;
};

/**
 * Makes the error handler of `GET /auth/connect/callback`: what cuts a connection off there leads
 * to a new one (`retryUrl`), since what was kept for this one may be taken already.
 */
export const createConnectAnew = ({ seal, origin }: ConnectParts): ErrorRequestHandler =>
  function connectAnew(error: unknown, req, _res, next) {
    const failure = error instanceof Failure ? error : new Failure('internal', { cause: error });
    const known = readState(seal, new URL(req.originalUrl, origin).searchParams.get('state'));
    if (known !== undefined && failure.status >= 429) {
      const { connection, returnTo } = known;
      const query = new URLSearchParams({ connection, returnTo });
      Object.assign(failure.members, { returnTo, retryUrl: `/auth/connect?${query.toString()}` });
    }
    next(failure);
  };

/** Makes `GET /auth/connect/callback`: completes the connection with what only this server kept, and sends the browser back (303). */
export const createConnectCallback = (parts: ConnectParts): RequestHandler => {
  const { origin, pending, seal, log } = parts;
  const call = createConnectCall('complete', parts);
  const resume = createResume(seal);

  return async function finishConnect(req, res) {
    const query = new URL(req.originalUrl, origin).searchParams;
    const known = ['state', 'connect_code', 'error'].some((name) => query.getAll(name).length > 1)
      ? undefined
      : readState(seal, query.get('state'));
    const returnTo = known?.returnTo ?? '/';
    const failed = (detail: string, reason: string): Failure => {
      log.warn({ event: 'connect_failed', reason }, 'an account was not connected');
      return new Failure('connect_failed', { detail, members: { returnTo } });
    };
    if (known === undefined) throw failed('This was not begun here. Begin again.', 'unknown_state');
    const kept = await pending.take(req, res, known.slot);
    if (kept === undefined)
      throw failed(
        'It took too long, was finished already, or was begun in another browser. Begin again.',
        'not_pending',
      );
    const session = req.account;
    if (session === undefined)
      throw new Failure('login_required', {
        members: { loginUrl: `/auth/login?${new URLSearchParams({ returnTo }).toString()}` },
      });
    if (session.user !== kept.user)
      throw failed('You have signed in as another user meanwhile. Begin again.', 'another_user');
    const code = query.get('connect_code') ?? '';
    if (query.has('error') || !/^[\x21-\x7e]{1,256}$/.test(code))
      throw failed('The provider did not agree, or it was cancelled there.', 'refused_by_provider');
    // What was begun is spent: a step-up leads to a new beginning.
    const again = resume.address(session, { connection: known.connection, returnTo });
    const { status } = await call(
      req,
      session,
      {
        auth_session: kept.authSession,
        connect_code: code,
        redirect_uri: `${origin}/auth/connect/callback`,
        code_verifier: kept.verifier,
      },
      again,
    );
    if (status === 409) throw failed('This account is connected already.', 'conflict');
    if (status !== 200 && status !== 201)
      throw failed('Auth0 did not complete the connection. Begin again.', `status ${status}`);
    redirect(res, 303, returnTo);
  };
};
