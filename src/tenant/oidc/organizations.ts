import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { findClient } from './clients.ts';
import { parameter, type Parts } from './context.ts';

/**
 * Checks the parameter `organization` of /authorize against the tenant's organizations and what the
 * application may do with them.
 */
export function organizationRule({ state }: Parts) {
  return (ctx: KoaContextWithOIDC, organization: string | undefined): void => {
    const settings = state.settings();
    const { connections } = findClient(settings, ctx.oidc.client?.clientId) ?? {};
    if (connections?.length === 0)
      throw new errors.InvalidRequest('no connections enabled for the client');
    const usage = findClient(settings, ctx.oidc.client?.clientId)?.organization_usage ?? 'deny';
    if (organization === undefined) {
      if (usage === 'require')
        throw new errors.InvalidRequest('parameter organization is required for this client');
      return;
    }
    if (usage === 'deny')
      throw new errors.InvalidRequest('parameter organization is not allowed for this client');
    if (!settings.organizations.some(({ id }) => id === organization))
      throw new errors.InvalidRequest('parameter organization is invalid');
  };
}

/**
 * Is the session's user outside the organization that is asked for? Then somebody has to sign in
 * anew.
 */
export function outsideOrganization({ state }: Parts, ctx: KoaContextWithOIDC): boolean {
  const organization = parameter(ctx, 'organization');
  const user = state.users.get(ctx.oidc.session?.accountId ?? '');
  return (
    organization !== undefined && user !== undefined && !user.organizations.includes(organization)
  );
}
