import type { RequestHandler } from 'express';
import { Failure } from '../http/errors.ts';
import { redirect } from '../http/redirect.ts';
import { crossSite, foreign } from '../http/same-origin.ts';
import type { Authorize } from './authorize.ts';
import { pathOf, readReturnTo } from '../http/return-to.ts';
import type { Transactions } from './transactions.ts';

/**
 * Makes `GET /auth/step-up`: a login with more scope and MFA asked for. Only scopes of the
 * operations table, never chosen by another site.
 */
export const createStepUpStart = (parts: {
  authorize: Authorize;
  transactions: Transactions;
  origin: string;
  loginScope: readonly string[];
  knownScopes: ReadonlySet<string>;
  acrValues: string;
  maxAgeSeconds: number;
}): RequestHandler => {
  const { authorize, transactions, origin, loginScope, knownScopes, acrValues, maxAgeSeconds } =
    parts;
  return async function startStepUp(req, res) {
    const query = new URL(req.originalUrl, origin).searchParams;
    const returnTo = readReturnTo(query.get('returnTo'), origin);
    const reason = foreign(req, origin);
    if (reason !== undefined && req.headers['sec-fetch-site'] !== undefined)
      throw crossSite(reason);
    const session = req.account;
    if (session === undefined) {
      throw new Failure('login_required', {
        members: {
          loginUrl: `/auth/login?${new URLSearchParams({ returnTo: pathOf(returnTo) }).toString()}`,
        },
      });
    }
    const asked = query
      .getAll('scope')
      .flatMap((each) => each.split(' ').filter((scope) => scope !== ''));
    const unknown = asked.find((scope) => !knownScopes.has(scope));
    if (unknown !== undefined)
      throw new Failure('invalid_request', {
        detail: 'A scope was asked for that no operation of the My Account API needs.',
      });

    const granted = session.record.tokens.flatMap(({ scope }) => scope);
    const scope = [...new Set([...loginScope, ...granted, ...asked])];
    const popup = query.get('display') === 'popup';
    const begun = transactions.begin(req, res, {
      kind: 'step-up',
      returnTo,
      scope,
      sub: session.record.sub,
      ...(popup && { popup }),
    });
    const extra = acrValues === '' ? {} : { acr_values: acrValues, max_age: String(maxAgeSeconds) };
    const url = await authorize('step-up', { ...begun, scope, extra }, returnTo);
    redirect(res, 302, url.href);
  };
};
