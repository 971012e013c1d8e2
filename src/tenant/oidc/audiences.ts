import type { ClientRecord, Settings } from '../state/settings.ts';
import type { UserRecord } from '../state/users.ts';

/**
 * The scopes every sign-in may ask for, whatever the API (`scopes_supported` of Auth0's discovery
 * document).
 */
export const identityScopes = [
  'openid',
  'profile',
  'offline_access',
  'online_access',
  'email',
  'phone',
  'address',
];

/** The scopes an application may be granted on the My Account API today. */
export const myAccountScopes = [
  'read:me:authentication_methods',
  'create:me:authentication_methods',
  'update:me:authentication_methods',
  'delete:me:authentication_methods',
  'read:me:factors',
  'create:me:connected_accounts',
  'read:me:connected_accounts',
  'delete:me:connected_accounts',
  'read:me:profile',
  'update:me:profile',
];

/** An API of the tenant as far as tokens for it are concerned. */
export interface Api {
  audience: string;
  isMyAccount: boolean;
  scopes: string[];
  userPolicy: 'require_client_grant' | 'allow_all' | 'deny_all';
  clientPolicy: 'require_client_grant' | 'allow_all' | 'deny_all';
  rbac: boolean;
  skipConsent: boolean;
  /** Whether it takes online refresh tokens (beta). */
  onlineAccess: boolean;
  tokenSeconds: number;
}

/**
 * The API behind an audience, or undefined. `origins` are the tenant's own: `{origin}/me/` is the
 * My Account API, once activated.
 */
export function findApi(
  settings: Settings,
  origins: readonly string[],
  audience: string,
): Api | undefined {
  const { my_account: me } = settings;
  if (me.activated && origins.some((origin) => audience === `${origin}/me/`)) {
    return {
      audience,
      isMyAccount: true,
      scopes: myAccountScopes,
      userPolicy: me.user_policy,
      clientPolicy: 'deny_all',
      rbac: me.rbac,
      skipConsent: me.skip_consent,
      onlineAccess: me.allow_online_access,
      tokenSeconds: settings.tokens.accessTokenSeconds,
    };
  }
  if (origins.some((origin) => audience === `${origin}/mfa/`)) {
    const scopes = ['enroll', 'read:authenticators', 'remove:authenticators'];
    const open = { userPolicy: 'allow_all', clientPolicy: 'deny_all' } as const;
    return {
      audience,
      isMyAccount: false,
      scopes,
      ...open,
      rbac: false,
      skipConsent: true,
      onlineAccess: false,
      tokenSeconds: 600,
    };
  }
  const server = settings.resource_servers.find((candidate) => candidate.audience === audience);
  return server === undefined
    ? undefined
    : {
        audience,
        isMyAccount: false,
        scopes: server.scopes,
        userPolicy: server.user_policy,
        clientPolicy: server.client_policy,
        rbac: server.rbac,
        skipConsent: server.skip_consent,
        onlineAccess: server.allow_online_access,
        tokenSeconds: server.token_seconds,
      };
}

/**
 * The scopes the access policy leaves to an application, or undefined when it has no access at all.
 */
export function allowedByPolicy(
  settings: Settings,
  api: Api,
  client: ClientRecord,
  policy: Api['userPolicy'],
): string[] | undefined {
  if (policy === 'deny_all') return undefined;
  if (policy === 'allow_all' && client.first_party) return api.scopes;
  const grant = settings.grants.find(
    (candidate) =>
      candidate.client_id === client.client_id &&
      (candidate.audience ?? (api.isMyAccount ? api.audience : undefined)) === api.audience,
  );
  return grant === undefined
    ? undefined
    : api.scopes.filter((scope) => grant.scope.includes(scope));
}

/** The scopes RBAC leaves to a user: all when the API does not use it. */
export function allowedByRoles(api: Api, user: UserRecord): string[] {
  return api.rbac ? (user.permissions[api.audience] ?? []) : api.scopes;
}
