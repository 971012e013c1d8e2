import {
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import { parseCookies, writeCookies } from './cookies.ts';

// Up: what a page, its module loader and the frameworks' own requests say. A name that ends in "-" is the beginning of a family of names.
const up = [
  ...[
    'accept',
    'accept-',
    'cache-control',
    'pragma',
    'range',
    'if-',
    'user-agent',
    'referer',
    'origin',
  ],
  ...['content-type', 'content-length', 'content-encoding', 'content-language', 'last-event-id'],
  ...[
    'sec-fetch-',
    'sec-ch-',
    'sec-purpose',
    'purpose',
    'priority',
    'dnt',
    'save-data',
    'upgrade-insecure-requests',
  ],
  ...['x-requested-with', 'traceparent', 'tracestate', 'baggage'],
  ...[
    'rsc',
    'next-',
    'x-nextjs-',
    'x-remix-',
    'x-sveltekit-',
    'x-inertia',
    'x-inertia-',
    'hx-',
    'turbo-frame',
    'x-vite-',
  ],
];
const upForSocket = ['user-agent', 'origin', 'sec-websocket-', 'sec-fetch-', 'accept-language'];
// Down: what describes the page, and the policies that are a page's own to choose. What guards the origin (HSTS, framing, Clear-Site-Data,
// Access-Control-*) and what names this request stay the gateway's.
const down = [
  ...[
    'content-type',
    'content-length',
    'content-encoding',
    'content-language',
    'content-disposition',
    'content-range',
    'content-location',
  ],
  ...[
    'cache-control',
    'etag',
    'last-modified',
    'expires',
    'age',
    'date',
    'vary',
    'accept-ranges',
    'allow',
    'location',
    'link',
    'retry-after',
  ],
  ...['content-security-policy', 'content-security-policy-report-only', 'permissions-policy'],
  ...[
    'cross-origin-opener-policy',
    'cross-origin-embedder-policy',
    'service-worker-allowed',
    'origin-agent-cluster',
  ],
  ...['server-timing', 'sourcemap', 'x-sourcemap', 'x-powered-by', 'x-accel-buffering'],
  ...[
    'rsc',
    'next-',
    'x-nextjs-',
    'x-next-',
    'x-action-',
    'x-remix-',
    'x-sveltekit-',
    'x-inertia',
    'x-inertia-',
    'hx-',
    'x-vite-',
  ],
];

const choose = (list: readonly string[]): ((name: string) => boolean) => {
  const names = new Set(list.filter((each) => !each.endsWith('-')));
  const families = list.filter((each) => each.endsWith('-'));
  return (name) => names.has(name) || families.some((family) => name.startsWith(family));
};
const [goesUp, goesUpForSocket, comesDown] = [choose(up), choose(upForSocket), choose(down)];

const ours = /^(__[a-z-]+-)?my_account_/i;
const visible = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** The cookies of a `Cookie` header that are not the gateway's own, or undefined when none is left. */
const othersCookies = (header: string | undefined): string | undefined => {
  // A nameless cookie is sent as its value alone, which must not look like one of ours either.
  const theirs = parseCookies(header).filter(
    ({ name, value }) => !ours.test(name === '' ? value : name),
  );
  return theirs.length === 0 ? undefined : writeCookies(theirs);
};

/** The `Set-Cookie` headers that set no cookie of the gateway's: one without a name would be sent back as if its value were name and value. */
const othersSetCookies = (headers: readonly string[] = []): string[] =>
  headers.filter((each) => {
    const [pair = ''] = each.split(';');
    const name = pair.slice(0, Math.max(pair.indexOf('='), 0)).trim();
    return name !== '' && !ours.test(name);
  });

/** Where a request came from and went to, as the dev server is told instead of what the request's own headers say. */
export interface Told {
  /** The dev server's own host: what its allow-list of hosts knows. */
  readonly host: string;
  readonly publicHost: string;
  readonly publicScheme: string;
  readonly address: string | undefined;
}

const tell = ({ host, publicHost, publicScheme, address }: Told): OutgoingHttpHeaders => ({
  host,
  'x-forwarded-host': publicHost,
  'x-forwarded-proto': publicScheme,
  ...(address !== undefined && { 'x-forwarded-for': address }),
});

const pick = (
  headers: IncomingHttpHeaders,
  wanted: (name: string) => boolean,
): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => wanted(name)));

/**
 * All that goes up with a request: allow-listed, without the gateway's cookies. A body of unknown length stays framed: without its `transfer-encoding`
 * it would arrive as a request of its own.
 */
export const requestHeaders = (headers: IncomingHttpHeaders, told: Told): IncomingHttpHeaders => {
  const cookie = othersCookies(headers.cookie);
  return {
    ...pick(headers, goesUp),
    ...(headers['transfer-encoding'] !== undefined && { 'transfer-encoding': 'chunked' }),
    ...(cookie !== undefined && { cookie }),
    ...tell(told),
  } as IncomingHttpHeaders;
};

/** All that goes up with a WebSocket (RFC 6455 section 4.1). */
export const socketHeaders = (headers: IncomingHttpHeaders, told: Told): IncomingHttpHeaders => {
  const cookie = othersCookies(headers.cookie);
  return {
    ...pick(headers, goesUpForSocket),
    ...{ connection: 'Upgrade', upgrade: 'websocket' },
    ...(cookie !== undefined && { cookie }),
    ...tell(told),
  } as IncomingHttpHeaders;
};

/** All that comes down with an answer; a header with a name or a value that HTTP does not allow is left out. */
export const responseHeaders = (headers: IncomingHttpHeaders): OutgoingHttpHeaders => {
  const cookies = othersSetCookies(headers['set-cookie']);
  const theirs = Object.entries({
    ...pick(headers, comesDown),
    ...(cookies.length > 0 && { 'set-cookie': cookies }),
  });
  return Object.fromEntries(
    theirs.filter(([name, value]) => [value ?? []].flat().every((each) => sendable(name, each))),
  );
};

/** All that comes down with a switch to WebSocket (RFC 6455 section 4.2.2): no cookie, nothing else. */
export const switchHeaders = (headers: IncomingHttpHeaders): IncomingHttpHeaders => ({
  ...{ upgrade: 'websocket', connection: 'Upgrade' },
  ...Object.fromEntries(
    ['sec-websocket-accept', 'sec-websocket-protocol', 'sec-websocket-extensions'].flatMap(
      (name) => {
        const value = headers[name];
        return typeof value === 'string' && visible.test(value) ? [[name, value]] : [];
      },
    ),
  ),
});

const sendable = (name: string, value: string): boolean => {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
};
