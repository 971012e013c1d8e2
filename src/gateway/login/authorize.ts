import type { Auth0 } from '../auth0/auth0.ts';
import { OAuthError } from '../auth0/grant.ts';
import { Failure } from '../http/errors.ts';
import type { Log } from '../http/log.ts';
import { pathOf } from '../http/return-to.ts';

/**
 * Answers where at Auth0 the browser goes. What Auth0 refuses of a pushed request (RFC 9126 section
 * 2.3) is logged, and `login_failed` to the user.
 */
export const createAuthorize =
  ({ auth0, log }: { readonly auth0: Auth0; readonly log: Log }) =>
  async (
    kind: 'login' | 'step-up',
    ask: Parameters<Auth0['startLogin']>[0],
    returnTo: string,
  ): Promise<URL> => {
    try {
      return await auth0.startLogin(ask);
    } catch (cause) {
      if (!(cause instanceof OAuthError)) throw cause;
      log.warn(
        { event: 'login_failed', kind, reason: cause.error, err: cause },
        'a sign-in could not begin',
      );
      const query = new URLSearchParams({ returnTo: pathOf(returnTo) });
      const members = { loginUrl: `/auth/login?${query.toString()}` };
      const detail =
        'Auth0 did not accept the sign-in that this gateway asked for. ' +
        'The operator finds the reason in the log.';
      throw new Failure('login_failed', { detail, members, cause });
    }
  };

/** See createAuthorize. */
export type Authorize = ReturnType<typeof createAuthorize>;
