import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuthorizationServer } from '../oidc/server.ts';
import type { Pushes } from '../second-factor/push.ts';
import type { State } from '../state/state.ts';

/** Mounts the endpoints of embedded login; answers true when the request was for one. */
export function createEmbedded(_state: State, _server: AuthorizationServer, _pushes: Pushes) {
  return (_request: IncomingMessage, _response: ServerResponse, _url: URL): Promise<boolean> => Promise.resolve(false);
}
