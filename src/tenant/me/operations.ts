import { completeConnecting, startConnecting } from './accounts/connect.ts';
import { listAccounts, listConnections, removeAccount } from './accounts/lists.ts';
import { listFactors, listMethods, readMethod, startMethod, changeMethod, finishMethod, removeMethod } from './methods.ts';
import type { Answer, Call } from './parts.ts';

/** One operation of the API: where it is, what it asks of the token, and what answers it. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/me/v1`, a parameter in braces. */
  readonly path: string;
  readonly scope: string;
  /** Whether a body is read, which must then be JSON. */
  readonly takesBody: boolean;
  readonly answer: (call: Call) => Answer | Promise<Answer>;
}

const read = (path: string, scope: string, answer: Operation['answer']): Operation => ({
  method: 'GET',
  path,
  scope,
  takesBody: false,
  answer,
});
const post = (path: string, scope: string, answer: Operation['answer']): Operation => ({
  method: 'POST',
  path,
  scope,
  takesBody: true,
  answer,
});

/** Every operation that Auth0's OpenAPI file marks GA or EA. */
const operations: readonly Operation[] = [
  read('/factors', 'read:me:factors', listFactors),
  read('/authentication-methods', 'read:me:authentication_methods', listMethods),
  post('/authentication-methods', 'create:me:authentication_methods', startMethod),
  read('/authentication-methods/{id}', 'read:me:authentication_methods', readMethod),
  {
    method: 'PATCH',
    path: '/authentication-methods/{id}',
    scope: 'update:me:authentication_methods',
    takesBody: true,
    answer: changeMethod,
  },
  {
    method: 'DELETE',
    path: '/authentication-methods/{id}',
    scope: 'delete:me:authentication_methods',
    takesBody: false,
    answer: removeMethod,
  },
  post('/authentication-methods/{id}/verify', 'create:me:authentication_methods', finishMethod),
  post('/connected-accounts/connect', 'create:me:connected_accounts', startConnecting),
  post('/connected-accounts/complete', 'create:me:connected_accounts', completeConnecting),
  read('/connected-accounts/accounts', 'read:me:connected_accounts', listAccounts),
  read('/connected-accounts/connections', 'read:me:connected_accounts', listConnections),
  {
    method: 'DELETE',
    path: '/connected-accounts/accounts/{id}',
    scope: 'delete:me:connected_accounts',
    takesBody: false,
    answer: removeAccount,
  },
];

/** The operation a request names, with its decoded path parameters; undefined when there is none. Throws URIError on broken percent-encoding. */
export function findOperation(method: string, path: string): { operation: Operation; parameters: Record<string, string> } | undefined {
  const segments = path.split('/');
  for (const operation of operations) {
    const pattern = operation.path.split('/');
    if (operation.method !== method || pattern.length !== segments.length) continue;
    if (!pattern.every((part, at) => part.startsWith('{') || part === segments[at])) continue;
    const parameters: Record<string, string> = {};
    for (const [at, part] of pattern.entries())
      if (part.startsWith('{')) parameters[part.slice(1, -1)] = decodeURIComponent(segments[at] ?? '');
    return { operation, parameters };
  }
  return undefined;
}
