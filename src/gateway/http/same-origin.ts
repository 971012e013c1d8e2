import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { Failure } from './errors.ts';

/** Why a request counts as another site's, or undefined when it is the page's own (Fetch Metadata, then Origin, then `X-CSRF: 1`). */
export function foreign(req: IncomingMessage, origin: string): string | undefined {
  const { headers, method } = req;
  // A browser cannot be made to lie in either header, so a wrong one decides whatever the other says.
  if (headers.origin !== undefined && headers.origin !== origin)
    return 'the Origin header names another origin';
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin') return undefined;
  // "none" is the address bar or a bookmark: a person, but never a reason to change something.
  if (site === 'none') {
    const safe = method === 'GET' || method === 'HEAD';
    return safe && headers['sec-fetch-mode'] === 'navigate'
      ? undefined
      : 'a request typed by hand changes nothing';
  }
  // "same-site" is a neighbour under the same registrable domain: not this application. Unknown values are not trusted either.
  if (site !== undefined) return 'Sec-Fetch-Site is not same-origin';
  if (headers.origin !== undefined) return undefined;
  // Neither header: a script outside a browser, or an old browser. A page elsewhere cannot send this one without a preflight.
  return headers['x-csrf'] === '1'
    ? undefined
    : 'without Sec-Fetch-Site and Origin the header X-CSRF: 1 is needed';
}

/** The failure for it. */
export const crossSite = (reason: string): Failure =>
  new Failure('cross_site_request', { detail: `Refused: ${reason}.` });

/**
 * Refuses what another site caused with `cross_site_request`, reads included (draft-ietf-oauth-browser-based-apps section 6.1.3.3, OWASP
 * CSRF cheat sheet). `origin` is the gateway's public origin, without a trailing slash.
 */
export function createSameOrigin({ origin }: { readonly origin: string }): RequestHandler {
  return function sameOrigin(req, _res, next) {
    const reason = foreign(req, origin);
    if (reason === undefined) next();
    else next(crossSite(reason));
  };
}
