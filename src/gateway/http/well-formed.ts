import type { RequestHandler } from 'express';
import { Failure } from './errors.ts';

/**
 * Refuses what Node's parser lets through and another server could read differently: more than one `Host` (RFC 9112 section 3.2), a request target
 * that is neither a path nor an absolute URL, or has a fragment (section 3.2, RFC 3986 section 3.5), and a request line of a time before headers
 * (version 0.9). The connection ends with the answer, so nothing hidden behind can be read as a request.
 */
export const wellFormed: RequestHandler = function wellFormed(req, _res, next) {
  const { rawHeaders, originalUrl: target } = req;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  const readable =
    !target.includes('#') && (target.startsWith('/') || target === '*' || URL.canParse(target));
  if (hosts < 2 && req.httpVersionMajor >= 1 && readable) next();
  else next(new Failure('invalid_request', { headers: { Connection: 'close' } }));
};
