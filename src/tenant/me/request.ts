import type { IncomingMessage } from 'node:http';
import { Problem } from './problems.ts';

// Far above any body this API knows.
const MAX_BYTES = 1_000_000;

/**
 * The JSON body of a request: undefined when there is none; 415 for another type, 400 for what is
 * no JSON.
 */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES)
      throw new Problem('invalid_request', { detail: 'The body is too large.' });
    chunks.push(chunk);
  }
  const type = request.headers['content-type'];
  if (type === undefined && size === 0) return undefined;
  if (!/^application\/json\s*(;|$)/i.test(type ?? '')) throw new Problem('unsupported_media_type');
  try {
    const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    return parsed;
  } catch {
    throw new Problem('invalid_request', { detail: 'The body is not JSON.' });
  }
}

/**
 * Path and query of a request; a parameter that comes more than once is a list. Broken
 * percent-encoding is 400.
 */
export function readTarget(target: string): {
  path: string;
  query: Record<string, string | string[]>;
} {
  const [path = '', search = ''] = target.split(/\?(.*)/s);
  try {
    decodeURIComponent(`${path}${search}`);
  } catch {
    throw new Problem('invalid_request', { detail: 'The URL is not valid.' });
  }
  const query: Record<string, string | string[]> = {};
  const parameters = new URLSearchParams(search);
  for (const name of new Set(parameters.keys())) {
    const [first = '', ...more] = parameters.getAll(name);
    query[name] = more.length === 0 ? first : [first, ...more];
  }
  return { path, query };
}
