import { Failure } from '../http/errors.ts';
import type { BucketName } from '../../../config/plans.ts';
import { lookup, operations } from './operations.ts';
import type { Operation } from './operations.ts';

/** A request that names an operation: what it is and the bytes that go to the API. */
export interface Target {
  readonly operation: Operation;
  readonly bucket: BucketName;
  /** Path and query at the API, as the browser wrote them after the gateway's own prefix: the same string was authorised. */
  readonly url: string;
  readonly query: string;
  /** The `{id}` of the path, decoded. */
  readonly id: string | undefined;
}

const longestPath = 1_024;
const longestQuery = 8_192;
/** What a segment may hold before and after decoding. No percent sign survives decoding, so nothing can be decoded twice. */
const rawSegment = /^(?:[\w.~|@:+=-]|%[0-9A-Fa-f]{2})+$/;
const decodedSegment = /^[\w.~|@:+=-]+$/;
const dots = /^\.{1,2}$/;
/** Visible ASCII, no fragment, no backslash. */
const rawQuery = /^[\x21\x22\x24-\x5b\x5d-\x7e]*$/;

const refuse = (detail: string): never => {
  throw new Failure('invalid_request', { detail });
};

function decode(segment: string): string {
  if (!rawSegment.test(segment))
    return refuse('The path holds a character that no operation needs.');
  // decodeURIComponent throws on bytes that are not UTF-8; those above ASCII are refused anyway.
  const decoded = segment.replace(/%([0-9A-Fa-f]{2})/g, (_match, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  if (!decodedSegment.test(decoded) || dots.test(decoded))
    return refuse('The path holds an encoded character that no operation needs.');
  return decoded;
}

/**
 * Reads the request line's target after `prefix` (both `/v1/...` and `/...` spellings) and finds its operation. Refuses with `invalid_request`
 * what could be read two ways: dot segments, encoded or double slashes, backslashes, `;`, control and non-ASCII characters, over-long ones;
 * with `operation_not_found` and `method_not_allowed` (`Allow`, RFC 9110 section 15.5.6) what the API does not have.
 */
export function readTarget(method: string, requestTarget: string, prefix: string): Target {
  const mark = requestTarget.indexOf('?');
  const path = mark === -1 ? requestTarget : requestTarget.slice(0, mark);
  const query = mark === -1 ? '' : requestTarget.slice(mark + 1);
  if (path.length > longestPath || query.length > longestQuery) refuse('The address is too long.');
  // A request target in absolute form (RFC 9112 section 3.2.2), or another spelling of the prefix, is not ours.
  if (!path.startsWith(`${prefix}/`)) throw new Failure('operation_not_found');
  if (!rawQuery.test(query)) refuse('The query holds a character that must be percent-encoded.');
  const rest = path.slice(prefix.length);
  const own = rest.startsWith('/v1/') ? rest.slice(3) : rest;
  // Most requests name a path of the table as it is written there: nothing in it needs to be decoded or checked.
  const literal = lookup.literal(own);
  const segments = literal === undefined ? own.slice(1).split('/') : [];
  const decoded = segments.map(decode);
  const methods = literal ?? lookup.segments(segments);
  if (methods === undefined) throw new Failure('operation_not_found');
  const operation = methods.get(method);
  if (operation === undefined)
    throw new Failure('method_not_allowed', { headers: { Allow: [...methods.keys()].join(', ') } });
  const { filtered } = operation;
  const isFiltered =
    filtered !== undefined && query !== '' && new URLSearchParams(query).has(filtered.by);
  const at = literal === undefined ? operation.path.split('/').indexOf('{id}') - 1 : -1;
  return {
    operation,
    bucket: isFiltered ? filtered.bucket : operation.bucket,
    url: `/me/v1${own}${query === '' ? '' : `?${query}`}`,
    query,
    id: at < 0 ? undefined : decoded[at],
  };
}

/** The route of a target as logs and metrics name it: ours, with `{id}` in the place of what was sent. */
export const routeOf = (prefix: string, { operation }: Target): string =>
  `${prefix}/v1${operation.path}`;

/** Returns the part of the account that an operation reads or changes: the first segment of its path. */
export const areaOf = ({ path }: Operation): string => {
  const end = path.indexOf('/', 1);
  return end === -1 ? path.slice(1) : path.slice(1, end);
};

/** Returns the target of an operation that the gateway calls itself; its path holds no `{id}`. */
export function targetOf(name: string): Target {
  const operation = operations.find((each) => each.name === name);
  if (operation === undefined) throw new TypeError(`no operation ${name}`);
  const { bucket, path } = operation;
  return { operation, bucket, url: `/me/v1${path}`, query: '', id: undefined };
}
