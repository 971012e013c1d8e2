import type { BucketName } from '../state/plans.ts';
import type { Settings } from '../state/settings.ts';
import { completeConnecting, startConnecting } from './accounts/connect.ts';
import { listAccounts, listConnections, removeAccount } from './accounts/lists.ts';
import {
  changeMethod,
  finishMethod,
  listFactors,
  listMethods,
  readMethod,
  removeMethod,
  startMethod,
} from './methods.ts';
import type { Answer, Call } from './parts.ts';
import { changeProfile, readProfile } from './profile.ts';

/** One operation of the API: where it is, what it asks of the token, and what answers it. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/me/v1`, a parameter in braces. */
  readonly path: string;
  readonly scope: string;
  readonly bucket: BucketName;
  /** The query parameter with which it takes from another bucket. */
  readonly filtered?: { readonly by: string; readonly bucket: BucketName };
  /** Whether a tenant with these settings has it; without this every tenant has. */
  readonly enabled?: (settings: Settings) => boolean;
  readonly answer: (call: Call) => Answer | Promise<Answer>;
}

const profile = {
  path: '/profile',
  enabled: ({ my_account }: Settings) => my_account.profile,
} as const;

/** Every operation that Auth0's OpenAPI file marks GA or EA, and the profile, which is beta. */
export const operations: readonly Operation[] = [
  {
    method: 'GET',
    path: '/factors',
    scope: 'read:me:factors',
    bucket: 'factors_read',
    answer: listFactors,
  },
  {
    method: 'GET',
    path: '/authentication-methods',
    scope: 'read:me:authentication_methods',
    bucket: 'authentication_methods_read',
    filtered: { by: 'type', bucket: 'authentication_methods_read_filtered' },
    answer: listMethods,
  },
  {
    method: 'POST',
    path: '/authentication-methods',
    scope: 'create:me:authentication_methods',
    bucket: 'authentication_methods_write',
    answer: startMethod,
  },
  {
    method: 'GET',
    path: '/authentication-methods/{id}',
    scope: 'read:me:authentication_methods',
    bucket: 'authentication_methods_read',
    answer: readMethod,
  },
  {
    method: 'PATCH',
    path: '/authentication-methods/{id}',
    scope: 'update:me:authentication_methods',
    bucket: 'authentication_methods_write',
    answer: changeMethod,
  },
  {
    method: 'DELETE',
    path: '/authentication-methods/{id}',
    scope: 'delete:me:authentication_methods',
    bucket: 'authentication_methods_write',
    answer: removeMethod,
  },
  {
    method: 'POST',
    path: '/authentication-methods/{id}/verify',
    scope: 'create:me:authentication_methods',
    bucket: 'authentication_methods_write',
    answer: finishMethod,
  },
  {
    method: 'POST',
    path: '/connected-accounts/connect',
    scope: 'create:me:connected_accounts',
    bucket: 'connected_accounts_create_flow',
    answer: startConnecting,
  },
  {
    method: 'POST',
    path: '/connected-accounts/complete',
    scope: 'create:me:connected_accounts',
    bucket: 'connected_accounts_create_flow',
    answer: completeConnecting,
  },
  {
    method: 'GET',
    path: '/connected-accounts/accounts',
    scope: 'read:me:connected_accounts',
    bucket: 'connected_accounts_read_accounts',
    answer: listAccounts,
  },
  {
    method: 'GET',
    path: '/connected-accounts/connections',
    scope: 'read:me:connected_accounts',
    bucket: 'connected_accounts_read_connections',
    answer: listConnections,
  },
  {
    method: 'DELETE',
    path: '/connected-accounts/accounts/{id}',
    scope: 'delete:me:connected_accounts',
    bucket: 'connected_accounts_write',
    answer: removeAccount,
  },
  // UNCONFIRMED: Auth0 publishes no bucket for the profile.
  {
    ...profile,
    method: 'GET',
    scope: 'read:me:profile',
    bucket: 'authentication_methods_read',
    answer: readProfile,
  },
  {
    ...profile,
    method: 'PATCH',
    scope: 'update:me:profile',
    bucket: 'authentication_methods_write',
    answer: changeProfile,
  },
];

/**
 * The operation a request names, with its decoded path parameters; undefined when there is none.
 * Throws URIError on broken percent-encoding.
 */
export function findOperation(
  method: string,
  path: string,
): { operation: Operation; parameters: Record<string, string> } | undefined {
  const segments = path.split('/');
  for (const operation of operations) {
    const pattern = operation.path.split('/');
    if (operation.method !== method || pattern.length !== segments.length) continue;
    if (!pattern.every((part, at) => part.startsWith('{') || part === segments[at])) continue;
    const parameters: Record<string, string> = {};
    for (const [at, part] of pattern.entries())
      if (part.startsWith('{'))
        parameters[part.slice(1, -1)] = decodeURIComponent(segments[at] ?? '');
    return { operation, parameters };
  }
  return undefined;
}
