import type { CostClass } from '../../../config/plans.ts';

/** One operation of the My Account API. */
export interface Operation {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** The path after `/me/v1`; `{id}` stands for one segment. */
  readonly path: string;
  readonly scope: string;
  readonly cost: CostClass;
  /** The query parameter that makes the call a filtered read, which has a bucket of its own. */
  readonly filteredBy?: string;
}

/** Everything that passes this gateway: the operations that Auth0's My Account OpenAPI file marks GA or EA. What is not here does not exist. */
export const operations: readonly Operation[] = [
  { name: 'getFactors', method: 'GET', path: '/factors', scope: 'read:me:factors', cost: 'read' },
  {
    name: 'getAuthenticationMethods',
    method: 'GET',
    path: '/authentication-methods',
    scope: 'read:me:authentication_methods',
    cost: 'read',
    filteredBy: 'type',
  },
  {
    name: 'createAuthenticationMethod',
    method: 'POST',
    path: '/authentication-methods',
    scope: 'create:me:authentication_methods',
    cost: 'write',
  },
  {
    name: 'getAuthenticationMethod',
    method: 'GET',
    path: '/authentication-methods/{id}',
    scope: 'read:me:authentication_methods',
    cost: 'read',
  },
  {
    name: 'updateAuthenticationMethod',
    method: 'PATCH',
    path: '/authentication-methods/{id}',
    scope: 'update:me:authentication_methods',
    cost: 'write',
  },
  {
    name: 'deleteAuthenticationMethod',
    method: 'DELETE',
    path: '/authentication-methods/{id}',
    scope: 'delete:me:authentication_methods',
    cost: 'write',
  },
  {
    name: 'confirmAuthenticationMethod',
    method: 'POST',
    path: '/authentication-methods/{id}/verify',
    scope: 'create:me:authentication_methods',
    cost: 'write',
  },
  {
    name: 'createConnectedAccountRequest',
    method: 'POST',
    path: '/connected-accounts/connect',
    scope: 'create:me:connected_accounts',
    cost: 'write',
  },
  {
    name: 'completeConnectedAccountRequest',
    method: 'POST',
    path: '/connected-accounts/complete',
    scope: 'create:me:connected_accounts',
    cost: 'write',
  },
  { name: 'getConnectedAccounts', method: 'GET', path: '/connected-accounts/accounts', scope: 'read:me:connected_accounts', cost: 'read' },
  {
    name: 'getConnectedAccountsConnections',
    method: 'GET',
    path: '/connected-accounts/connections',
    scope: 'read:me:connected_accounts',
    cost: 'read',
  },
  {
    name: 'deleteConnectedAccount',
    method: 'DELETE',
    path: '/connected-accounts/accounts/{id}',
    scope: 'delete:me:connected_accounts',
    cost: 'write',
  },
];

/** The scopes a session may ever ask for: those of the table. */
export const allScopes: readonly string[] = [...new Set(operations.map((operation) => operation.scope))];

const byShape = new Map<string, Map<string, Operation>>();
for (const operation of operations) {
  const methods = byShape.get(operation.path) ?? new Map<string, Operation>();
  byShape.set(operation.path, methods.set(operation.method, operation));
}

/** The operations by method at a path that holds no `{id}`, as it stands in the table; undefined for every other spelling and path. */
export const operationsAtLiteral = (path: string): ReadonlyMap<string, Operation> | undefined =>
  path.includes('{') ? undefined : byShape.get(path);

/** The operations at these path segments by method; undefined when the API has nothing there. A literal segment wins over `{id}`. */
export function operationsAt(segments: readonly string[]): ReadonlyMap<string, Operation> | undefined {
  const [room = '', second = '', third = ''] = segments;
  if (segments.length === 1) return byShape.get(`/${room}`);
  if (segments.length === 2) return byShape.get(`/${room}/${second}`) ?? byShape.get(`/${room}/{id}`);
  if (segments.length === 3) return byShape.get(`/${room}/${second}/{id}`) ?? byShape.get(`/${room}/{id}/${third}`);
  return undefined;
}
