import type { KoaContextWithOIDC, TokenEndpointGrantContext } from 'oidc-provider';
import type { State } from '../state/state.ts';
import type { Store } from './adapter.ts';
import type { Logins } from './logins.ts';

/** What the authorization server of one tenant works on. */
export interface Parts {
  state: State;
  store: Store;
  logins: Logins;
  /** Every origin this tenant answers on, the canonical one first. */
  origins: () => string[];
}

/**
 * A grant of the token endpoint that oidc-provider does not have: what handles it and which
 * parameters it reads.
 */
export interface GrantType {
  handler: (ctx: TokenEndpointGrantContext) => Promise<void>;
  parameters: string[];
}

/** The value of acr_values and of the `acr` claim for MFA, as Auth0 spells it. */
export const multiFactor = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor';

/** A request parameter as text; undefined when absent or not text. */
export function parameter(ctx: KoaContextWithOIDC, name: string): string | undefined {
  const value = ctx.oidc.params?.[name] ?? ctx.oidc.body?.[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Splits a scope string; nothing gives an empty list. */
export const scopeList = (scope: unknown): string[] =>
  typeof scope === 'string' ? scope.split(' ').filter(Boolean) : [];
