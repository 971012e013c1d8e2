import type { IncomingMessage } from 'node:http';

/**
 * Whether a person is waiting for a page rather than a script for an answer: `Sec-Fetch-Mode: navigate`, or, from a browser without
 * Fetch Metadata, a GET that asks for HTML first. Scripts keep their 401 and 403; people are sent on.
 */
export function isNavigation(req: IncomingMessage): boolean {
  const mode = req.headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate';
  if (req.method !== 'GET' && req.method !== 'HEAD') return false;
  const accept = req.headers.accept ?? '';
  const html = accept.indexOf('text/html');
  const json = accept.indexOf('json');
  return html !== -1 && (json === -1 || html < json);
}
