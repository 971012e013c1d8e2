import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** What the headers depend on: whether the public origin is https, and the origins a form of the page may end at (the tenant's, after sign-out). */
export interface SecurityHeadersOptions {
  readonly https: boolean;
  readonly formTargets?: readonly string[];
}

const self = "'self'";
const none = "'none'";

/** The security headers as name and value, worked out by helmet: CSP without `unsafe-inline`, no framing, no referrer, HSTS on https only. */
export function securityHeaders({
  https,
  formTargets = [],
}: SecurityHeadersOptions): readonly (readonly [string, string])[] {
  const recorder = new ServerResponse(new IncomingMessage(new Socket()));
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: [none],
        scriptSrc: [self],
        styleSrc: [self],
        imgSrc: [self, 'data:', 'https:'],
        fontSrc: [self],
        connectSrc: [self],
        manifestSrc: [self],
        // Chromium applies form-action to the redirects after a form as well: signing out ends at the tenant.
        formAction: [self, ...formTargets],
        frameAncestors: [none],
        baseUri: [none],
        objectSrc: [none],
        ...(https ? { upgradeInsecureRequests: [] } : {}),
      },
    },
    // Plain-http localhost must not be remembered as https.
    strictTransportSecurity: https ? { maxAge: 63_072_000, includeSubDomains: true } : false,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    // Step-up in a popup talks back to the page that opened it.
    crossOriginOpenerPolicy: { policy: 'same-origin-allow-popups' },
  })(recorder.req, recorder, () => undefined);
  return Object.entries(recorder.getHeaders()).map(
    ([name, value]) => [name, String(value)] as const,
  );
}

/** The same as one flat list, for an answer that is written with one. */
export const flat = (headers: readonly (readonly [string, string])[]): readonly string[] =>
  headers.flat();

/** Sets the security headers and `X-Request-Id` on every answer. helmet runs once, at the start: per request it would cost about 12 us. */
export function createSecurityHeaders(
  headers: readonly (readonly [string, string])[],
): RequestHandler {
  return function setSecurityHeaders(req, res, next) {
    if (req.id !== undefined) res.setHeader('X-Request-Id', req.id);
    for (const [name, value] of headers) res.setHeader(name, value);
    next();
  };
}
