import type { ErrorRequestHandler } from 'express';
import { Failure } from '../http/errors.ts';
import { pathOf } from '../http/return-to.ts';
import type { Transaction, Transactions } from './transactions.ts';

/**
 * Returns the members of a problem that lead on from a sign-in that failed: `loginUrl` begins it
 * anew, a step-up as a step-up, and `returnTo` is the path it was to come back to.
 */
export const wayOn = (
  transaction: Transaction | undefined,
  origin: string,
): { returnTo: string; loginUrl: string } => {
  const returnTo = pathOf(transaction?.returnTo ?? `${origin}/`);
  const query = new URLSearchParams({ returnTo });
  if (transaction?.kind !== 'step-up')
    return { returnTo, loginUrl: `/auth/login?${query.toString()}` };
  const scope = transaction.scope.filter((each) => each.includes(':me:')).join(' ');
  query.set('scope', scope);
  if (transaction.popup === true) query.set('display', 'popup');
  return { returnTo, loginUrl: `/auth/step-up?${query.toString()}` };
};

/**
 * Makes the error handler of `GET /auth/callback`. Whatever cuts a sign-in off there, the answer
 * leads to a new one: the code and the `state` may be spent (RFC 9700 section 4.5.3), so the same
 * address again would only be refused.
 */
export const createBeginAnew = (parts: {
  transactions: Transactions;
  origin: string;
}): ErrorRequestHandler => {
  const { transactions, origin } = parts;
  return function beginAnew(error: unknown, req, _res, next) {
    const failure = error instanceof Failure ? error : new Failure('internal', { cause: error });
    const state = new URL(req.originalUrl, origin).searchParams.get('state') ?? '';
    if (failure.members['returnTo'] === undefined)
      Object.assign(failure.members, wayOn(transactions.read(state), origin));
    next(failure);
  };
};
