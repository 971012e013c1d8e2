import type { IncomingMessage, ServerResponse } from 'node:http';
import { isOwnHost } from './control/guard.ts';
import { answerControl, type ControlParts } from './control/control.ts';
import { answerUserinfo, isApiToken } from './oidc/userinfo.ts';
import { discoveryDocument } from './oidc/discovery.ts';
import { consentPage } from './pages/consent.ts';
import { homePage, type DemoUser } from './pages/home.ts';
import { visitPage, type Page } from './pages/interactions.ts';
import { layout } from './http/layout.ts';
import { loginPage, signupPage } from './pages/login.ts';
import { challengePage } from './pages/mfa.ts';
import { enrollmentPage } from './pages/mfa-enrollment.ts';
import { challengePaths, type Kind } from './second-factor/kinds.ts';
import { sendJson, sendOAuthError, sendPage } from './http/answer.ts';
import { answerPreflight } from './http/cors.ts';
import { BodyError, readMembers, withForm } from './http/body.ts';
import { note, observe } from './http/observe.ts';

/** What a tenant consists of, as far as a request is concerned. */
export interface RouterParts extends ControlParts {
  control: boolean;
  demo: DemoUser;
  /** The My Account API and what belongs to it; true when it answered. */
  account: (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<boolean>;
  /** The embedded endpoints: /passkey/*, /mfa/*; true when it answered. */
  embedded: (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<boolean>;
  /** The token endpoints' limit; true when it answered with 429. */
  limited: (request: IncomingMessage, response: ServerResponse, url: URL) => boolean;
}

const pages = new Map<string, Page>([
  ['/u/login', loginPage],
  ['/u/signup', signupPage],
  ['/u/consent', consentPage],
  ['/u/mfa-otp-enrollment', enrollmentPage],
  ...Object.entries(challengePaths).map(([kind, path]): [string, Page] => [
    path,
    challengePage(kind as Kind),
  ]),
]);

const formEndpoints = ['/oauth/token', '/oauth/revoke', '/oauth/par'];

/** Answers every request to the tenant, in the order written here. */
export function createRouter(
  parts: RouterParts,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { state, server, faults } = parts;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const origin = server.originOf(request);
    const url = new URL(request.url ?? '/', origin);
    const path = url.pathname;
    if (path.startsWith('/_control/')) {
      if (parts.control) await answerControl(parts, url, request, response);
      else sendJson(response, 403, { error: 'Control is off: start the tenant with --control.' });
      return;
    }
    observe(state, request, response);
    if (await faults.strike(request, response)) return;
    if (answerPreflight(state.settings(), path, request, response)) return;
    if (parts.limited(request, response, url)) return;
    if (await parts.account(request, response, url)) return;
    if (await parts.embedded(request, response, url)) return;
    await signIn(request, response, url, origin);
  }

  async function signIn(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    origin: string,
  ): Promise<void> {
    const path = url.pathname;
    const provider = server.providerFor(origin);
    const page = pages.get(path);
    if (page !== undefined) {
      const { parts: core, passkeys } = server;
      return visitPage(page, {
        parts: core,
        pushes: parts.pushes,
        passkeys,
        origin,
        provider,
        request,
        response,
      });
    }
    // What a tenant answers where pushed requests are off is UNCONFIRMED.
    if (path === '/oauth/par' && !state.settings().pushed_authorization_requests) {
      sendOAuthError(response, 404, 'not_found', 'Not Found');
      return undefined;
    }
    if (formEndpoints.includes(path) && request.method === 'POST')
      return callToken(request, response, origin);
    if (path === '/userinfo' && isApiToken(request))
      return answerUserinfo(state, server.authenticate, request, response);
    if (path === '/oidc/logout' || path === '/v2/logout' || path === '/oidc/logout/confirm') {
      const members =
        request.method === 'POST'
          ? await readMembers(request)
          : Object.fromEntries(url.searchParams);
      if (path === '/v2/logout') return server.logout.v2(provider, request, response, members);
      if (path !== '/oidc/logout')
        return server.logout.confirmed(provider, request, response, members);
      if (await server.logout.initiated(provider, request, response, members)) return undefined;
      return server.handle(
        origin,
        request.method === 'POST' ? withForm(request, members) : request,
        response,
      );
    }
    if (request.method === 'GET' && path === '/') {
      if (!isOwnHost(request, server.parts.origins())) {
        sendPage(response, 403, layout('Not here', '<p>This tenant has no such name.</p>'));
        return undefined;
      }
      sendPage(response, 200, homePage(origin, state.settings(), parts.demo, parts.control));
      return undefined;
    }
    if (
      request.method === 'GET' &&
      ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'].includes(
        path,
      )
    ) {
      const document = discoveryDocument(origin, state.settings());
      sendJson(response, 200, document, {
        'access-control-allow-origin': '*',
        'cache-control': 'public, max-age=15',
      });
      return undefined;
    }
    if (request.method === 'GET' && path === '/.well-known/jwks.json') {
      sendJson(response, 200, server.jwks, {
        'access-control-allow-origin': '*',
        'cache-control': 'public, max-age=15',
      });
      return undefined;
    }
    return server.handle(origin, request, response);
  }

  /**
   * Auth0 takes JSON as well as forms here; a refresh's scope is judged by Auth0's rules, so it
   * travels under another name.
   */
  async function callToken(
    request: IncomingMessage,
    response: ServerResponse,
    origin: string,
  ): Promise<void> {
    const members = await readMembers(request);
    const { scope, ...rest } = members;
    const form =
      members['grant_type'] === 'refresh_token' ? { ...rest, requested_scope: scope } : members;
    note(request, members);
    await server.handle(origin, withForm(request, form), response);
  }

  return async (request, response) => {
    try {
      await answer(request, response);
    } catch (error) {
      if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
      }
      if (error instanceof BodyError)
        sendOAuthError(response, error.status, 'invalid_request', error.message);
      else
        sendOAuthError(
          response,
          500,
          'server_error',
          error instanceof Error ? error.message : String(error),
        );
    }
  };
}
