import type { BucketName } from '../../../config/plans.ts';

/** One operation of the My Account API. */
export interface Operation {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** The path after `/me/v1`; `{id}` stands for one segment. */
  readonly path: string;
  readonly scope: string;
  /** Which of Auth0's buckets it takes from. */
  readonly bucket: BucketName;
  /** The query parameter with which it takes from another one. */
  readonly filtered?: { readonly by: string; readonly bucket: BucketName };
  /** Where Auth0's table does not say so, and the name of the bucket or a likeness is all there is. */
  readonly bucketUnconfirmed?: true;
  /** Marked `planned` in Auth0's file: denied here until Auth0 releases it. */
  readonly planned?: true;
}

/** What Auth0 publishes of its My Account API. One line makes an operation pass; what is not here does not exist. */
const table: readonly Operation[] = [
  {
    name: 'getFactors',
    method: 'GET',
    path: '/factors',
    scope: 'read:me:factors',
    bucket: 'factors_read',
  },
  {
    name: 'getAuthenticationMethods',
    method: 'GET',
    path: '/authentication-methods',
    scope: 'read:me:authentication_methods',
    bucket: 'authentication_methods_read',
    filtered: { by: 'type', bucket: 'authentication_methods_read_filtered' },
  },
  {
    name: 'createAuthenticationMethod',
    method: 'POST',
    path: '/authentication-methods',
    scope: 'create:me:authentication_methods',
    bucket: 'authentication_methods_write',
  },
  {
    name: 'getAuthenticationMethod',
    method: 'GET',
    path: '/authentication-methods/{id}',
    scope: 'read:me:authentication_methods',
    bucket: 'authentication_methods_read',
  },
  {
    name: 'updateAuthenticationMethod',
    method: 'PATCH',
    path: '/authentication-methods/{id}',
    scope: 'update:me:authentication_methods',
    bucket: 'authentication_methods_write',
    bucketUnconfirmed: true,
  },
  {
    name: 'deleteAuthenticationMethod',
    method: 'DELETE',
    path: '/authentication-methods/{id}',
    scope: 'delete:me:authentication_methods',
    bucket: 'authentication_methods_write',
  },
  {
    name: 'confirmAuthenticationMethod',
    method: 'POST',
    path: '/authentication-methods/{id}/verify',
    scope: 'create:me:authentication_methods',
    bucket: 'authentication_methods_write',
  },
  {
    name: 'createConnectedAccountRequest',
    method: 'POST',
    path: '/connected-accounts/connect',
    scope: 'create:me:connected_accounts',
    bucket: 'connected_accounts_create_flow',
    bucketUnconfirmed: true,
  },
  {
    name: 'completeConnectedAccountRequest',
    method: 'POST',
    path: '/connected-accounts/complete',
    scope: 'create:me:connected_accounts',
    bucket: 'connected_accounts_create_flow',
    bucketUnconfirmed: true,
  },
  {
    name: 'getConnectedAccounts',
    method: 'GET',
    path: '/connected-accounts/accounts',
    scope: 'read:me:connected_accounts',
    bucket: 'connected_accounts_read_accounts',
  },
  {
    name: 'getConnectedAccountsConnections',
    method: 'GET',
    path: '/connected-accounts/connections',
    scope: 'read:me:connected_accounts',
    bucket: 'connected_accounts_read_connections',
  },
  {
    name: 'deleteConnectedAccount',
    method: 'DELETE',
    path: '/connected-accounts/accounts/{id}',
    scope: 'delete:me:connected_accounts',
    bucket: 'connected_accounts_write',
    bucketUnconfirmed: true,
  },
  // Beta, and published apart from the file.
  {
    name: 'getProfile',
    method: 'GET',
    path: '/profile',
    scope: 'read:me:profile',
    bucket: 'authentication_methods_read',
    bucketUnconfirmed: true,
  },
  {
    name: 'updateProfile',
    method: 'PATCH',
    path: '/profile',
    scope: 'update:me:profile',
    bucket: 'authentication_methods_write',
    bucketUnconfirmed: true,
  },
  {
    name: 'getConsents',
    method: 'GET',
    path: '/consents',
    scope: 'read:me:consents',
    bucket: 'authentication_methods_read',
    bucketUnconfirmed: true,
    planned: true,
  },
  {
    name: 'getConsent',
    method: 'GET',
    path: '/consents/{id}',
    scope: 'read:me:consents',
    bucket: 'authentication_methods_read',
    bucketUnconfirmed: true,
    planned: true,
  },
  {
    name: 'getOrganizations',
    method: 'GET',
    path: '/organizations',
    scope: 'read:me:organizations',
    bucket: 'organizations_read',
    planned: true,
  },
];

/** Everything that passes this gateway. */
export const operations: readonly Operation[] = table.filter(({ planned }) => planned !== true);

/** What waits for Auth0's release: denied like what does not exist, its scopes included. */
export const planned: readonly Operation[] = table.filter(
  (operation) => operation.planned === true,
);

/** The scopes a session may ever ask for: those of the table. */
export const allScopes: readonly string[] = [
  ...new Set(operations.map((operation) => operation.scope)),
];

/** Returns the path of the read that shows what stands in a part of the account. */
export const readOf = (area: string): string =>
  operations.find(
    ({ method, path }) => method === 'GET' && path.startsWith(`/${area}`) && !path.includes('{'),
  )?.path ?? `/${area}`;

/** How an operation is found: both functions answer those at one path by their method, or undefined when there is nothing. */
export interface OperationLookup {
  /** By a path that is written as in the table and holds no `{id}`. */
  literal(path: string): ReadonlyMap<string, Operation> | undefined;
  /** By the segments of a path; a literal segment wins over `{id}`. */
  segments(given: readonly string[]): ReadonlyMap<string, Operation> | undefined;
}

/** Makes the lookup of a table of operations, of any depth. */
export function createLookup(rows: readonly Operation[]): OperationLookup {
  const byPath = new Map<string, Map<string, Operation>>();
  for (const operation of rows) {
    const methods = byPath.get(operation.path) ?? new Map<string, Operation>();
    byPath.set(operation.path, methods.set(operation.method, operation));
  }
  const shapes = [...byPath].map(([path, methods]) => ({
    parts: path.slice(1).split('/'),
    methods,
  }));
  // Where two shapes fit, the one that is literal at the first place where they differ comes first.
  shapes.sort((a, b) => (a.parts.map(rank).join('/') < b.parts.map(rank).join('/') ? -1 : 1));
  return {
    literal: (path) => (path.includes('{') ? undefined : byPath.get(path)),
    segments(given) {
      const fits = (part: string, at: number): boolean => part === '{id}' || part === given[at];
      return shapes.find(({ parts }) => parts.length === given.length && parts.every(fits))
        ?.methods;
    },
  };
}

const rank = (part: string): string => (part === '{id}' ? '1' : '0');

/** The lookup of what passes. */
export const lookup: OperationLookup = createLookup(operations);
