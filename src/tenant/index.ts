export { startTenant, type Tenant } from './start.ts';
export type { TenantOptions } from './options.ts';
