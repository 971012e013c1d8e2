import type { IncomingMessage, ServerResponse } from 'node:http';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type Provider from 'oidc-provider';
import { redirect, sendPage } from '../http/answer.ts';
import { escape, layout } from '../http/layout.ts';
import { findClient } from './clients.ts';
import type { Parts } from './context.ts';
import type { SigningKey } from './keys.ts';
import type { Sessions } from './sessions.ts';

/** Answers a logout request, or hands it on to oidc-provider, which asks the user first. */
export interface Logout {
  /**
   * `/oidc/logout` (RP-Initiated Logout 1.0): true when answered. Asks nothing when the hint names
   * the session of this browser.
   */
  initiated(
    provider: Provider,
    request: IncomingMessage,
    response: ServerResponse,
    parameters: Record<string, unknown>,
  ): Promise<boolean>;
  /**
   * The answer to the question "do you want to log out?", which oidc-provider's page asks; a forged
   * one gets 400.
   */
  confirmed(
    provider: Provider,
    request: IncomingMessage,
    response: ServerResponse,
    parameters: Record<string, unknown>,
  ): Promise<void>;
  /** `/v2/logout`, Auth0's own: never asks. */
  v2(
    provider: Provider,
    request: IncomingMessage,
    response: ServerResponse,
    parameters: Record<string, unknown>,
  ): Promise<void>;
}

/** Makes both logout endpoints of one tenant. */
export function createLogout({ state }: Parts, key: SigningKey, sessions: Sessions): Logout {
  const keys = createLocalJWKSet({ keys: [key.publicJwk] });
  const sessionOf = async (
    provider: Provider,
    request: IncomingMessage,
    response: ServerResponse,
  ) => provider.Session.get(provider.createContext(request, response));

  async function hinted(token: string | undefined): Promise<{ sid?: string; clientId?: string }> {
    if (token === undefined) return {};
    // An ID token that has run out still names the session it was for.
    const verified = await jwtVerify(token, keys, { currentDate: new Date(0) }).catch(
      () => undefined,
    );
    const sid = verified?.payload['sid'];
    const clientId = [verified?.payload.aud ?? []].flat()[0];
    return {
      ...(typeof sid === 'string' ? { sid } : {}),
      ...(clientId === undefined ? {} : { clientId }),
    };
  }

  const refuse = (response: ServerResponse, name: string, url: string): void => {
    const text = `The "${name}" querystring parameter "${url}" is not defined as a valid URL in "Allowed Logout URLs".`;
    sendPage(response, 400, layout('Oops!, something went wrong', `<p>${escape(text)}</p>`));
  };
  const leave = (response: ServerResponse, target: string | undefined): void => {
    response.setHeader(
      'set-cookie',
      ['auth0', 'auth0.sig'].map(
        (name) => `${name}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly`,
      ),
    );
    if (target === undefined)
      sendPage(response, 200, layout('Logged out', '<p>You have been logged out.</p>'));
    else redirect(response, target);
  };

  return {
    async initiated(provider, request, response, parameters) {
      const hint = await hinted(text(parameters['id_token_hint']));
      const client = findClient(state.settings(), hint.clientId ?? text(parameters['client_id']));
      const target = text(parameters['post_logout_redirect_uri']);
      if (
        target !== undefined &&
        client !== undefined &&
        !client.allowed_logout_urls.includes(target)
      ) {
        refuse(response, 'post_logout_redirect_uri', target);
        return true;
      }
      const session = await sessionOf(provider, request, response);
      const sid = hint.sid ?? text(parameters['logout_hint']);
      if (session.accountId !== undefined && session.uid !== sid) return false;
      if (session.accountId !== undefined) sessions.endSoon({ sid: session.uid }, 'rp-logout');
      leave(
        response,
        client === undefined ? undefined : withState(target, text(parameters['state'])),
      );
      return true;
    },
    async confirmed(provider, request, response, parameters) {
      const session = await sessionOf(provider, request, response);
      const secret = session.state?.['secret'];
      if (typeof secret !== 'string' || secret !== parameters['xsrf']) {
        sendPage(
          response,
          400,
          layout('Oops!, something went wrong', '<p>There is nothing to confirm.</p>'),
        );
        return;
      }
      sessions.endSoon({ sid: session.uid }, 'rp-logout');
      leave(
        response,
        withState(text(session.state?.['postLogoutRedirectUri']), text(session.state?.['state'])),
      );
    },
    async v2(provider, request, response, parameters) {
      const settings = state.settings();
      const client = findClient(settings, text(parameters['client_id']));
      const allowed = client?.allowed_logout_urls ?? settings.allowed_logout_urls;
      const target = text(parameters['returnTo']);
      if (target !== undefined && !allowed.includes(target)) {
        refuse(response, 'returnTo', target);
        return;
      }
      const session = await sessionOf(provider, request, response);
      if (session.accountId !== undefined) sessions.endSoon({ sid: session.uid }, 'rp-logout');
      leave(response, target ?? allowed[0]);
    },
  };
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function withState(target: string | undefined, state: string | undefined): string | undefined {
  if (target === undefined || state === undefined) return target;
  const url = new URL(target);
  url.searchParams.set('state', state);
  return url.href;
}
