import type { Args, OperationName } from './api.ts';

/** One HTTP request of the My Account API, below the base URL. */
export interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  query?: [string, string][];
  body?: object;
}

const methods = '/v1/authentication-methods';
const accounts = '/v1/connected-accounts';
const profile = '/v1/profile';

/** An id of Auth0's holds a `|`, which the path wants as `%7C`. */
const at = (collection: string, id: string): string => `${collection}/${encodeURIComponent(id)}`;

const paged = (page: { from?: string; take?: number } | undefined): [string, string][] => [
  ...(page?.from === undefined ? [] : [['from', page.from] satisfies [string, string]]),
  ...(page?.take === undefined ? [] : [['take', String(page.take)] satisfies [string, string]]),
];

/** The request behind each operation's name. */
export const operations: { [Name in OperationName]: (...args: Args<Name>) => Call } = {
  'factors.list': () => ({ method: 'GET', path: '/v1/factors' }),
  'authenticationMethods.list': (filter) => ({
    method: 'GET',
    path: methods,
    query: filter?.type ? [['type', filter.type]] : [],
  }),
  'authenticationMethods.create': (body) => ({ method: 'POST', path: methods, body }),
  'authenticationMethods.get': (id) => ({ method: 'GET', path: at(methods, id) }),
  'authenticationMethods.update': (id, body) => ({ method: 'PATCH', path: at(methods, id), body }),
  'authenticationMethods.delete': (id) => ({ method: 'DELETE', path: at(methods, id) }),
  'authenticationMethods.verify': (id, body) => ({
    method: 'POST',
    path: `${at(methods, id)}/verify`,
    body,
  }),
  'connectedAccounts.connect': (body) => ({ method: 'POST', path: `${accounts}/connect`, body }),
  'connectedAccounts.complete': (body) => ({ method: 'POST', path: `${accounts}/complete`, body }),
  'connectedAccounts.list': (page) => ({
    method: 'GET',
    path: `${accounts}/accounts`,
    query: [
      ...(page?.connection ?? []).map((name): [string, string] => ['connection', name]),
      ...paged(page),
    ],
  }),
  'connectedAccounts.connections': (page) => ({
    method: 'GET',
    path: `${accounts}/connections`,
    query: paged(page),
  }),
  'connectedAccounts.delete': (id) => ({ method: 'DELETE', path: at(`${accounts}/accounts`, id) }),
  'accountProfile.get': (part) => ({
    method: 'GET',
    path: profile,
    query: [
      ...(part?.fields === undefined
        ? []
        : [['fields', part.fields.join(',')] satisfies [string, string]]),
      ...(part?.include_fields === undefined
        ? []
        : [['include_fields', String(part.include_fields)] satisfies [string, string]]),
    ],
  }),
  'accountProfile.update': (body) => ({ method: 'PATCH', path: profile, body }),
};

/**
 * What may be kept in the browser over a step-up, to be done on return. The two that carry a code,
 * a password or a proof are not here: a secret is never stored, so the user is asked for it again.
 */
export const resumable: ReadonlySet<string> = new Set<OperationName>([
  'factors.list',
  'authenticationMethods.list',
  'authenticationMethods.create',
  'authenticationMethods.get',
  'authenticationMethods.update',
  'authenticationMethods.delete',
  'connectedAccounts.connect',
  'connectedAccounts.list',
  'connectedAccounts.connections',
  'connectedAccounts.delete',
  'accountProfile.get',
  'accountProfile.update',
]);

const changes = (kind: string, ...verbs: string[]): string =>
  verbs.map((verb) => `${verb}:me:${kind}`).join(' ');

/**
 * The scopes of everything that can be changed where this call changes something, told with the
 * call (`auth0-scope`): whoever confirmed one change is not asked again for the next. Undefined for
 * reads.
 */
export function relatedScopes({ method, path }: Call): string | undefined {
  if (method === 'GET') return undefined;
  if (path === profile) return changes('profile', 'update');
  return path.startsWith(methods)
    ? changes('authentication_methods', 'create', 'update', 'delete')
    : changes('connected_accounts', 'create', 'delete');
}
