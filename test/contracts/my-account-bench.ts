import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMyAccountApi } from '../../src/tenant/me/api.ts';
import { newUser, newUserSchema, type NewUser } from '../../src/tenant/state/new-user.ts';
import { parseSettings, type SettingsInput } from '../../src/tenant/state/settings.ts';
import { createState, type State } from '../../src/tenant/state/state.ts';

/** An answer of the API over HTTP. */
export interface BenchAnswer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** The My Account API on a port of its own; its access tokens are the test's, `sub scope scope …`, so that every combination of user and scope is at hand. */
export interface Bench {
  state: State;
  origin: string;
  /** When the API began to look at a token, by token, milliseconds. */
  arrivals: Map<string, number>;
  user(given?: Partial<NewUser>): string;
  call(
    method: string,
    path: string,
    options?: {
      token?: string;
      body?: unknown;
      raw?: string;
      type?: string;
      headers?: Record<string, string>;
    },
  ): Promise<BenchAnswer>;
  close(): Promise<void>;
}

/** A token of the bench for a user and scopes, bound to a key when `jkt` is given; `jti` tells tokens apart. */
export const tokenOf = (
  user: string,
  scopes: readonly string[],
  { jkt = '', jti = 0 } = {},
): string => Buffer.from(JSON.stringify({ user, scopes, jkt, jti })).toString('base64url');

function tokenSays(token: string) {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString()) as {
      user: string;
      scopes: string[];
      jkt: string;
    };
  } catch {
    return undefined;
  }
}

/** Starts the API on a free port of 127.0.0.1. */
export async function startBench(settings: SettingsInput = {}): Promise<Bench> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    void (path === '/connected-accounts/connect' ? api.providerPage : api.api)(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const state = createState(origin, parseSettings(settings));
  const arrivals = new Map<string, number>();
  const api = createMyAccountApi({
    state,
    originOf: () => origin,
    authenticate: (token) => {
      arrivals.set(token, Date.now());
      const said = tokenSays(token);
      return Promise.resolve(
        said && {
          sub: said.user,
          scope: said.scopes,
          clientId: 'app',
          ...(said.jkt === '' ? {} : { jkt: said.jkt }),
        },
      );
    },
  });
  let made = 0;
  return {
    state,
    origin,
    arrivals,
    user(given = {}) {
      made += 1;
      const user = newUser(
        newUserSchema.parse({ email: `user${made}@example.com`, password: 'Passw0rd!', ...given }),
        state.clock,
      );
      state.users.add(user);
      return user.user_id;
    },
    async call(method, path, { token, body, raw, type, headers = {} } = {}) {
      const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
      const response = await fetch(`${origin}/me/v1${path}`, {
        method,
        ...(sent === undefined ? {} : { body: sent }),
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(sent === undefined ? {} : { 'content-type': type ?? 'application/json' }),
          ...headers,
        },
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
