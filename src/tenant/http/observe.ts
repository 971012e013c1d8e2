import type { IncomingMessage, ServerResponse } from 'node:http';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { SeenRequest } from '../state/request-log.ts';
import type { State } from '../state/state.ts';

/** Members of OAuth calls that are safe to show; the rest is secret or noise. */
const shownMembers = [
  'grant_type',
  'client_id',
  'scope',
  'audience',
  'requested_scope',
  'realm',
  'username',
  'challenge_type',
  'connection',
];

const notes = new WeakMap<IncomingMessage, Record<string, string>>();

/** Notes what an OAuth call asked for, so the request log can show it. */
export function note(request: IncomingMessage, members: Record<string, unknown>): void {
  const shown = shownMembers
    .filter((name) => typeof members[name] === 'string')
    .map((name) => [name, String(members[name])]);
  notes.set(request, Object.fromEntries(shown) as Record<string, string>);
}

/** Writes a request into the log once it is over: answered, or given up by either side. */
export function observe(state: State, request: IncomingMessage, response: ServerResponse): void {
  const began = performance.now();
  const url = new URL(request.url ?? '/', 'http://tenant');
  response.once('close', () => {
    const parameters = notes.get(request);
    const token = tokenOf(request.headers.authorization);
    state.requests.add({
      method: request.method ?? '',
      path: url.pathname,
      query: queryOf(url.searchParams),
      status: response.headersSent ? response.statusCode : 0,
      headers: shownHeaders(request),
      ...(parameters === undefined ? {} : { parameters }),
      ...(token === undefined ? {} : { token }),
      durationMs: Math.round(performance.now() - began),
    });
  });
}

/** Query parameters that are shown as they came; any other may be a token, a code or a proof. */
const shownParameters = new Set([
  ...[
    'client_id',
    'response_type',
    'response_mode',
    'redirect_uri',
    'scope',
    'audience',
    'resource',
  ],
  ...['state', 'nonce', 'code_challenge', 'code_challenge_method', 'dpop_jkt', 'correlation_id'],
  ...['prompt', 'max_age', 'acr_values', 'login_hint', 'screen_hint', 'ui_locales', 'display'],
  ...['organization', 'connection', 'type', 'from', 'take', 'fields', 'include_fields'],
  ...['returnTo', 'post_logout_redirect_uri', 'logout_hint', 'federated'],
]);
/** Headers that are shown by what they say. */
const hiddenHeaders = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'dpop',
  'referer',
]);

function queryOf(search: URLSearchParams): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = {};
  for (const name of new Set(search.keys())) {
    const values = search
      .getAll(name)
      .map((value) => (shownParameters.has(name) ? value : '(hidden)'));
    query[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return query;
}

/**
 * Headers as they came, except what could be used again: tokens by what they say, cookies by name,
 * proofs by their claims.
 */
function shownHeaders(request: IncomingMessage): Record<string, string | string[]> {
  const shown: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined) continue;
    shown[name] = hiddenHeaders.has(name) ? hiddenHeader(name, String(value)) : value;
  }
  return shown;
}

function hiddenHeader(name: string, value: string): string {
  if (name === 'cookie')
    return value
      .split(';')
      .map((pair) => `${pair.split('=')[0]?.trim() ?? ''}=…`)
      .join('; ');
  if (name === 'referer') return value.split(/[?#]/)[0] ?? '';
  // A value without a scheme is the secret itself.
  const [scheme = ''] = /^(basic|bearer|dpop)(?= )/i.exec(value) ?? [];
  if (name.endsWith('authorization')) return `${scheme} (hidden)`.trim();
  const claims = attempt(() => decodeJwt(value)) ?? {};
  return JSON.stringify({
    htm: claims['htm'],
    htu: claims['htu'],
    nonce: claims['nonce'] !== undefined,
    ath: claims['ath'] !== undefined,
  });
}

function tokenOf(authorization: string | undefined): SeenRequest['token'] {
  const [scheme = '', value = ''] = (authorization ?? '').split(' ');
  if (!['bearer', 'dpop'].includes(scheme.toLowerCase())) return undefined;
  const claims = attempt(() => (decodeProtectedHeader(value), decodeJwt(value)));
  if (claims === undefined) return { scheme };
  const text = (name: string): string | undefined =>
    typeof claims[name] === 'string' ? claims[name] : undefined;
  const found = {
    sub: text('sub'),
    scope: text('scope'),
    jti: text('jti'),
    client: text('azp') ?? text('client_id'),
  };
  const given = Object.fromEntries(
    Object.entries(found).filter(([, one]) => one !== undefined),
  ) as Record<string, string>;
  return { scheme, ...given, ...(claims.aud === undefined ? {} : { aud: claims.aud }) };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
