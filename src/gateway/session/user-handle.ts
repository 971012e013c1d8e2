import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { Failure } from '../http/errors.ts';
import type { SessionCookie } from './cookie.ts';
import type { SessionRecord } from './record.ts';
import type { Session } from './sessions.ts';

/**
 * What a page says about whose page it is: on a call this header, on a navigation the parameter.
 */
const sent = { header: 'x-account-user', parameter: 'user' } as const;

/**
 * Names for users that pages may know: a page sends its user's back, and is refused when that is no
 * longer who is signed in.
 */
export interface UserHandles {
  /**
   * Returns the handle of a session's user: the same in every session of theirs, also after a
   * step-up.
   */
  of(session: Pick<Session, 'record'>): string;
  /**
   * Returns the session, if there is one, when the request's header names its user or nobody;
   * throws Failure `user_changed` otherwise.
   */
  checked<T extends Pick<Session, 'record'>>(
    req: Pick<Request, 'headers'>,
    session: T | undefined,
  ): T | undefined;
  /**
   * The same for the session that a route found (`req.account`), with the header or the parameter
   * `user`.
   */
  readonly check: RequestHandler;
}

/**
 * Makes handles: HMAC-SHA256 of issuer and subject (OpenID Connect Core 5.7) under a key from the
 * first of the server's secrets. One made under any of them is accepted, so that no page has to
 * start over when they are rotated.
 */
export const createUserHandles = (options: {
  secrets: readonly string[];
  issuer: string;
}): UserHandles => {
  const { secrets, issuer } = options;
  const keys = secrets.map((secret) =>
    Buffer.from(hkdfSync('sha256', secret, '', 'my-account-bff user handle', 32)),
  );
  // A record is the same object for as long as its cookie keeps coming (see session.ts).
  const known = new WeakMap<SessionRecord, readonly string[]>();
  const handlesOf = ({ record }: Pick<Session, 'record'>): readonly string[] => {
    const before = known.get(record);
    if (before !== undefined) return before;
    const text = `${issuer}\0${record.sub}`;
    const handles = keys.map((key) =>
      createHmac('sha256', key).update(text).digest('base64url').slice(0, 32),
    );
    known.set(record, handles);
    return handles;
  };
  const names = (session: Pick<Session, 'record'>, handle: string): boolean => {
    const given = Buffer.from(handle);
    return handlesOf(session).some((each) => {
      const own = Buffer.from(each);
      return own.length === given.length && timingSafeEqual(own, given);
    });
  };
  const refuseUnless = (good: boolean): void => {
    if (good) return;
    throw new Failure('user_changed', {
      detail:
        'This page belongs to another user than the one who is signed in now. Nothing was done.',
    });
  };
  const headerOf = ({ headers }: Pick<Request, 'headers'>): readonly string[] => {
    const value = headers[sent.header];
    return value === undefined ? [] : [value].flat();
  };

  return {
    of: (session) => handlesOf(session)[0] ?? '',
    checked(req, session) {
      if (session !== undefined)
        refuseUnless(headerOf(req).every((handle) => names(session, handle)));
      return session;
    },
    check(req, _res, next) {
      const { account: session } = req;
      if (session !== undefined) {
        const named = URL.parse(req.originalUrl, 'http://localhost')?.searchParams.getAll(
          sent.parameter,
        );
        refuseUnless(
          [...headerOf(req), ...(named ?? [])].every((handle) => names(session, handle)),
        );
      }
      next();
    },
  };
};

/**
 * Makes the two ways in which the API's route finds a session (see SessionCookie), each with its
 * user checked.
 */
export const createCallers = (
  cookie: SessionCookie,
  { checked }: UserHandles,
): Pick<SessionCookie, 'find' | 'one'> => ({
  find: async (req) => checked(req, await cookie.find(req)),
  one(req) {
    const one = cookie.one(req);
    return one && { key: one.key, find: async (trip) => checked(req, await one.find(trip)) };
  },
});
