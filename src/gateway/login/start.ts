import type { RequestHandler } from 'express';
import { Failure } from '../http/errors.ts';
import { redirect } from '../http/redirect.ts';
import type { Authorize } from './authorize.ts';
import { readReturnTo } from '../http/return-to.ts';
import type { Transactions } from './transactions.ts';

// What a page may say about its sign-in (OpenID Connect Core 3.1.2.1 and Auth0's own). Everything
// else in the query is ignored.
const passedOn: Readonly<Record<string, RegExp>> = {
  prompt: /^(none|login|consent|select_account)( (login|consent|select_account))*$/,
  login_hint: /^[^\p{Cc}]{1,254}$/u,
  screen_hint: /^(signup|login|reset-password)$/,
  ui_locales: /^[A-Za-z0-9 -]{1,100}$/,
  organization: /^[\w-]{1,64}$/,
  connection: /^[\w .-]{1,128}$/,
};

/**
 * Makes `GET /auth/login`: on to Auth0 with PKCE, `state` and `nonce`. A prefetch starts nothing; a
 * repeated or malformed parameter is refused.
 */
export const createLoginStart = (parts: {
  authorize: Authorize;
  transactions: Transactions;
  origin: string;
  scope: readonly string[];
}): RequestHandler => {
  const { authorize, transactions, origin, scope } = parts;
  return async function startLogin(req, res) {
    if (
      /prefetch|prerender/.test(String(req.headers['sec-purpose'] ?? req.headers['purpose'] ?? ''))
    ) {
      res.status(204).set('Cache-Control', 'no-store').end();
      return;
    }
    const query = new URL(req.originalUrl, origin).searchParams;
    const extra: Record<string, string> = {};
    for (const [name, form] of Object.entries(passedOn)) {
      const values = query.getAll(name);
      if (values.length === 0) continue;
      const [value = ''] = values;
      if (values.length > 1 || !form.test(value)) {
        throw new Failure('invalid_request', {
          detail: `The parameter ${name} is repeated or has a form that Auth0 would not accept.`,
        });
      }
      extra[name] = value;
    }
    const returnTo = readReturnTo(query.get('returnTo'), origin);
    const anew = query.has('anew');
    const begun = transactions.begin(req, res, {
      kind: 'login',
      returnTo,
      scope,
      ...(anew && { anew }),
    });
    const url = await authorize('login', { ...begun, scope, extra }, returnTo);
    redirect(res, 302, url.href);
  };
};
