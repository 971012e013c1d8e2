import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ConnectedAccount } from '../state/users.ts';
import { createConnectingStore } from './accounts/connecting.ts';
import { createProviderPage, type ProviderPage } from './accounts/provider-page.ts';
import { authorize, demandScope, type Authorized } from './authorize.ts';
import { createProofCheck } from './dpop.ts';

import { findOperation } from './operations.ts';
import type { Answer, MeParts } from './parts.ts';
import { Problem } from './problems.ts';
import { countRequest, rateLimitHeaders } from './rate-limit.ts';
import { readBody, readTarget } from './request.ts';

/** The My Account API of one tenant, ready to be mounted. */
export interface MyAccountApi {
  /** Answers one request whose path begins with `/me`; reads the body itself. */
  readonly api: (
    request: IncomingMessage & { originalUrl?: string },
    response: ServerResponse,
  ) => Promise<void>;
  /** Answers GET and POST of `CONNECT_PATH`, the pretend provider's page of connected accounts. */
  readonly providerPage: ProviderPage;
}

const PREFIX = '/me/v1';

/**
 * Auth0's My Account API on the state of one tenant: every GA and EA operation of its OpenAPI file,
 * and the profile.
 *
 * A request meets, in this order: operation (404), token (401), limits (429), scope (403), body
 * type (415), schema (400), and the operation itself.
 */
export function createMyAccountApi(parts: MeParts): MyAccountApi {
  const { state, originOf } = parts;
  const proofs = createProofCheck();
  const connecting = createConnectingStore(state.clock);
  const logins = new WeakMap<ConnectedAccount, string>();

  async function answer(
    request: IncomingMessage,
    target: string,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const settings = state.settings();
    const method = request.method ?? '';
    const { path, query } = readTarget(target);
    const found = path.startsWith(`${PREFIX}/`)
      ? findOperation(method, path.slice(PREFIX.length))
      : undefined;
    const enabled = found?.operation.enabled?.(settings) ?? true;
    if (!found || !enabled || !settings.my_account.activated)
      throw new Problem('not_found', {
        detail: `The requested resource ${method} ${path} was not found.`,
      });

    const authorized = await authorize(request, path, parts, proofs).catch((error: unknown) => ({
      error,
    }));
    if (settings.switches.dpopNonceOnMyAccount) headers['DPoP-Nonce'] = proofs.nonce();
    // Whoever asks: the tenant's limit holds for any request, also for one without a good token.
    const verdict = countRequest(
      state,
      found.operation,
      query,
      'user' in authorized ? authorized.user.user_id : undefined,
    );
    Object.assign(headers, rateLimitHeaders(verdict));
    if (!verdict.drawn.allowed) throw new Problem('rate_limited');
    if (!isAuthorized(authorized)) throw authorized.error;

    demandScope(authorized, found.operation.scope, settings);
    const body = ['POST', 'PATCH'].includes(method) ? await readBody(request) : undefined;
    const origin = originOf(request);
    return found.operation.answer({
      state,
      settings,
      origin,
      ...authorized,
      connecting,
      logins,
      path: found.parameters,
      query,
      body,
      request,
    });
  }

  const api: MyAccountApi['api'] = async (request, response) => {
    const headers: Record<string, string> = {};
    const outcome = await answer(request, request.originalUrl ?? request.url ?? '/', headers).catch(
      (error: unknown): Answer => {
        const problem =
          error instanceof Problem ? error : new Problem('internal', { detail: String(error) });
        return {
          status: problem.statusUnder(state.settings().switches),
          headers: problem.headers,
          body: problem.body(state.settings().switches),
        };
      },
    );
    const body = outcome.body === undefined ? undefined : JSON.stringify(outcome.body);
    response.writeHead(outcome.status, {
      ...headers,
      ...outcome.headers,
      'Cache-Control': 'no-store',
      ...(body === undefined
        ? {}
        : {
            'Content-Type': 'application/json; charset=utf-8',
            'Content-Length': Buffer.byteLength(body),
          }),
    });
    response.end(body);
  };
  return { api, providerPage: createProviderPage(state, connecting) };
}

const isAuthorized = (outcome: Authorized | { error: unknown }): outcome is Authorized =>
  'user' in outcome;
