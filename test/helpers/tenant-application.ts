import { createHash, randomBytes } from 'node:crypto';
import { createBrowser, type Browser, type Page, type Person } from './browser-jar.ts';
import type { Tenant, TenantOptions } from '../../src/tenant/index.ts';

/** What the token endpoint answers, as it is. */
export interface TokenAnswer {
  status: number;
  headers: Headers;
  access_token: string;
  refresh_token?: string;
  id_token?: string;
  scope?: string;
  token_type?: string;
  expires_in?: number;
  error?: string;
  error_description?: string;
  mfa_token?: string;
  mfa_requirements?: unknown;
}

/** One client record of the tenant's options. */
type ClientInput = NonNullable<TenantOptions['clients']>[number];

/** An application at the tenant that shows the protocol bare: every answer as it came, also the refusals. */
export interface Application {
  readonly client: ClientInput;
  use(tenant: Tenant): void;
  /** Goes to /authorize with these parameters over the usual ones, and stops at the callback or a page. */
  authorize(parameters?: Record<string, string | undefined>, browser?: Browser): Promise<Page>;
  /** The whole way to tokens. */
  signIn(
    parameters?: Record<string, string | undefined>,
    options?: { browser?: Browser; person?: Person },
  ): Promise<TokenAnswer>;
  /** Exchanges what a callback brought. */
  exchange(page: Page): Promise<TokenAnswer>;
  /** Calls the token endpoint with the client's credentials, as a form or as JSON. */
  token(
    members: Record<string, unknown>,
    options?: { json?: boolean; headers?: Record<string, string> },
  ): Promise<TokenAnswer>;
  refresh(token: string | undefined, members?: Record<string, string>): Promise<TokenAnswer>;
}

/** The callback of the test application; nothing listens there. */
export const callback = 'http://localhost:3999/callback';

/** The claims of a JWT, unverified. */
export const claimsOf = (jwt: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from((jwt ?? '').split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;

/** Makes the application `app`; `overrides` go into its record at the tenant. */
export function createApplication(overrides: Partial<ClientInput> = {}): Application {
  const client: ClientInput = {
    client_id: 'app',
    client_secret: 'app-secret',
    callbacks: [callback],
    allowed_logout_urls: ['http://localhost:3999/'],
    ...overrides,
  };
  const verifier = randomBytes(32).toString('base64url');
  let tenant: Tenant;

  const app: Application = {
    client,
    use(given) {
      tenant = given;
    },
    async authorize(parameters = {}, browser = createBrowser()) {
      const url = new URL(`${tenant.url}/authorize`);
      const usual: Record<string, string | undefined> = {
        client_id: client.client_id,
        response_type: 'code',
        redirect_uri: callback,
        scope: 'openid profile email offline_access read:me:authentication_methods',
        audience: `${tenant.url}/me/`,
        state: 'the-state',
        nonce: 'the-nonce',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries({ ...usual, ...parameters }))
        if (value !== undefined) url.searchParams.set(name, value);
      return browser.visit(url, { stopAt: callback });
    },
    async signIn(parameters = {}, { browser = createBrowser(), person = tenant.demoUser } = {}) {
      const page = await browser.signIn(await app.authorize(parameters, browser), person, {
        stopAt: callback,
      });
      return app.exchange(page);
    },
    async exchange(page) {
      const code = page.url.searchParams.get('code');
      if (code === null)
        throw new Error(
          `No code at ${page.url.href}: ${page.text.replace(/<[^>]+>/g, ' ').slice(-400)}`,
        );
      return app.token({
        grant_type: 'authorization_code',
        code,
        redirect_uri: callback,
        code_verifier: verifier,
      });
    },
    async token(members, { json = false, headers = {} } = {}) {
      const secret =
        client.client_secret === undefined ? {} : { client_secret: client.client_secret };
      const all = { client_id: client.client_id, ...secret, ...members };
      const body = json ? JSON.stringify(all) : new URLSearchParams(all as Record<string, string>);
      const type = json ? { 'content-type': 'application/json' } : {};
      const response = await fetch(`${tenant.url}/oauth/token`, {
        method: 'POST',
        body,
        headers: { ...type, ...headers },
      });
      return {
        ...((await response.json()) as TokenAnswer),
        status: response.status,
        headers: response.headers,
      };
    },
    refresh: async (token, members = {}) =>
      app.token({ grant_type: 'refresh_token', refresh_token: token ?? '', ...members }),
  };
  return app;
}
