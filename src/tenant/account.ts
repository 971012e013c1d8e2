import type { IncomingMessage, ServerResponse } from 'node:http';
import { CONNECT_PATH } from './me/accounts/connect.ts';
import { createMyAccountApi } from './me/api.ts';
import type { AuthorizationServer } from './oidc/server.ts';
import type { State } from './state/state.ts';

/** Mounts the My Account API; answers true when the request was for it. */
export function createAccount(state: State, server: AuthorizationServer) {
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
