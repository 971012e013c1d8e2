import type { Settings } from '../../../config/settings.ts';

/** Which requests are the gateway's: by exact path and by the beginning of a path, in lower case, since routes match whatever the case of their letters. */
export interface OwnPaths {
  readonly exact: readonly string[];
  readonly under: readonly string[];
}

const always: OwnPaths = {
  exact: [
    ...[
      '/api/me',
      '/healthz',
      '/readyz',
      '/auth/login',
      '/auth/callback',
      '/auth/step-up',
      '/auth/popup.js',
      '/auth/logout',
    ],
    ...[
      '/auth/backchannel-logout',
      '/auth/profile',
      '/auth/session',
      '/auth/sessions',
      '/auth/events',
      '/auth/connect',
      '/auth/connect/callback',
    ],
  ],
  under: ['/api/me/', '/auth/sessions/'],
};

/** Returns where no page of the front end's is looked for, and nothing switches to another protocol. */
export const areasOf = ({ ME_AT_ROOT: root }: Pick<Settings, 'ME_AT_ROOT'>): RegExp =>
  root ? /^\/((api|auth)([/?]|$)|me\/)/i : /^\/(api|auth)([/?]|$)/i;

const wellKnown = ['/.well-known/passkey-endpoints', '/.well-known/change-password'];

/** The gateway's own paths where it is part of another application, whose all others are; a test holds them against the routes. */
export const ownPaths = ({
  AUTH0_PASSWORD_REALM: realm,
  AUTH0_PASSKEYS: passkeys,
  ME_AT_ROOT: root,
  WELL_KNOWN: page,
}: Settings): OwnPaths => ({
  exact: [
    ...always.exact,
    ...(realm === undefined ? [] : ['/auth/password']),
    ...(page === undefined ? [] : wellKnown),
  ],
  under: [
    ...always.under,
    ...(realm === undefined && !passkeys ? [] : ['/auth/mfa/']),
    ...(passkeys ? ['/auth/passkey/'] : []),
    ...(root ? ['/me/'] : []),
  ],
});
