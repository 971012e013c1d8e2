import { decodeJwt } from 'jose';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { scopeList } from './context.ts';

/** Puts `offline_access` back where the request had it: in the query, the form, or inside a request object or pushed request. */
export function restoreOfflineAccess({ oidc, query }: KoaContextWithOIDC): void {
  const { params, client } = oidc;
  if (params === undefined || client?.grantTypeAllowed('refresh_token') !== true) return;
  const pushed = oidc.entities.PushedAuthorizationRequest?.request;
  const object = pushed ?? text(query['request']) ?? text(oidc.body?.['request']);
  const asked =
    object === undefined ? (query['scope'] ?? oidc.body?.['scope']) : decodeJwt(object)['scope'];
  if (!scopeList(asked).includes('offline_access')) return;
  const kept = [...scopeList(params['scope']), 'offline_access'];
  params['scope'] = scopeList(asked)
    .filter((scope) => kept.includes(scope))
    .join(' ');
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;
