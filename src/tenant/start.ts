import type { IncomingMessage, ServerResponse } from 'node:http';
import { createEmbedded } from './embedded/embedded.ts';
import { createFaults, type Faults } from './http/faults.ts';
import { createLimits } from './http/limits.ts';
import { listen } from './http/listen.ts';
import { createRouter } from './router.ts';
import { makeUsers, shown, type ShownUser } from './control/users.ts';
import { CONNECT_PATH } from './me/accounts/connect.ts';
import { createMyAccountApi } from './me/api.ts';
import { createSigningKey } from './oidc/keys.ts';
import { createAuthorizationServer, type AuthorizationServer } from './server.ts';
import { checkOptions, type TenantOptions } from './options.ts';
import { createPushes } from './second-factor/push.ts';
import { newUser, newUserSchema, type NewUser } from './state/new-user.ts';
import type { Message } from './state/messages.ts';
import type { SeenRequest } from './state/request-log.ts';
import type { Settings } from './state/settings.ts';
import { createState, type State } from './state/state.ts';

/** A running tenant. What it can do over HTTP at `/_control`, it can do here without. */
export interface Tenant {
  /** `http://127.0.0.1:4000`, no slash at the end. */
  readonly url: string;
  /** `127.0.0.1:4000`: what AUTH0_DOMAIN takes. */
  readonly domain: string;
  /** `url` and a slash. */
  readonly issuer: string;
  /** The user who is always there. */
  readonly demoUser: { email: string; password: string; totpSecret: string };
  settings(): Settings;
  /** Merges a patch into the settings, as PATCH /_control/settings does. */
  configure(patch: unknown): Settings;
  readonly users: {
    /** Makes users: records, or `{count}`. */
    add(input: NewUser | { count: number; password?: string; totp?: boolean }): ShownUser[];
    /** By id or e-mail. */
    find(name: string): ShownUser | undefined;
  };
  /** What the tenant has seen, after the request with this id. */
  requests(since?: number): SeenRequest[];
  /** Messages it pretends to have sent, newest last. */
  messages(to?: string): Message[];
  readonly faults: Faults;
  /** As freshly started: settings, users, sessions, tokens, faults, log. */
  reset(): void;
  close(): Promise<void>;
}

/**
 * Starts a tenant in this process, in well under a second; several can run at once and share
 * nothing. Throws SettingsError for wrong options.
 */
export async function startTenant(options?: TenantOptions): Promise<Tenant> {
  const { place, settings, demo } = checkOptions(options);
  const [key, listener] = await Promise.all([createSigningKey(), listen(place.host, place.port)]);
  const host = place.host.includes(':')
    ? `[${place.host}]`
    : place.host === '0.0.0.0'
      ? '127.0.0.1'
      : place.host;
  const url =
    place.issuer === undefined ? `http://${host}:${listener.port}` : new URL(place.issuer).origin;
  const state = createState(url, settings);
  const faults = createFaults();
  const pushes = createPushes();
  const server = createAuthorizationServer(state, key, pushes);

  const populate = (): void => {
    for (const given of place.users ?? []) state.users.add(newUser(given, state.clock));
    if (state.users.named(demo.email) === undefined) addDemoUser(state, demo);
  };
  const reset = (): void => {
    state.reset();
    server.clear();
    faults.clear();
    pushes.clear();
    populate();
  };
  populate();

  listener.answerWith(
    createRouter({
      state,
      server,
      faults,
      pushes,
      reset,
      control: place.control,
      demo,
      account: mountAccount(state, server),
      embedded: createEmbedded(state, server, pushes),
      limited: createLimits(state),
    }),
  );

  return {
    url,
    domain: new URL(url).host,
    issuer: `${url}/`,
    demoUser: demo,
    settings: () => state.settings(),
    configure: (patch) => state.configure(patch),
    users: {
      add: (input) => makeUsers(state, input),
      find(name) {
        const user = state.users.get(name) ?? state.users.named(name);
        return user === undefined ? undefined : shown(user);
      },
    },
    requests: (since) => state.requests.since(since),
    messages: (to) => state.messages.list(to),
    faults,
    reset,
    async close() {
      await server.sessions.settled();
      await listener.close();
    },
  };
}

function addDemoUser(
  state: State,
  { email, password, totpSecret }: { email: string; password: string; totpSecret: string },
): void {
  const methods = [{ type: 'totp' as const, secret: totpSecret, name: 'Demo authenticator' }];
  const names = { name: 'Demo User', given_name: 'Demo', family_name: 'User' };
  state.users.add(
    newUser(newUserSchema.parse({ email, password, methods, ...names }), state.clock),
  );
}

/** Mounts the My Account API; answers true when the request was for it. */
function mountAccount(state: State, server: AuthorizationServer) {
  const { api, providerPage } = createMyAccountApi({
    state,
    originOf: (request) => server.originOf(request),
    authenticate: (token, request) => server.authenticate(token, request),
  });
  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> => {
    if (url.pathname === CONNECT_PATH) {
      await providerPage(request, response);
      return true;
    }
    if (url.pathname !== '/me' && !url.pathname.startsWith('/me/')) return false;
    await api(request, response);
    return true;
  };
}
