import { IncomingMessage } from 'node:http';

const limit = 64 * 1024;

/** Thrown for a body that is too long or cannot be read; `status` is 413 or 400. */
export class BodyError extends Error {
  override name = 'BodyError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Reads the whole body, at most 64 KiB. */
async function readRaw(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) throw new BodyError(413, 'The request body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads a form or a JSON object as one record; Auth0's OAuth endpoints take both. Repeated form
 * members keep the last.
 */
export async function readMembers(request: IncomingMessage): Promise<Record<string, unknown>> {
  const raw = (await readRaw(request)).toString('utf8');
  if (!(request.headers['content-type'] ?? '').includes('json'))
    return Object.fromEntries(new URLSearchParams(raw));
  try {
    const parsed: unknown = JSON.parse(raw === '' ? '{}' : raw);
    if (isObject(parsed)) return parsed;
  } catch {
    // Said below, with everything else that is no JSON object.
  }
  throw new BodyError(400, 'The request body is not a JSON object.');
}

/**
 * The same request with another form as its body, unread: what oidc-provider is given after the
 * body was looked at.
 */
export function withForm(
  request: IncomingMessage,
  members: Record<string, unknown>,
): IncomingMessage {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined && value !== null)
      form.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  const body = Buffer.from(form.toString());
  const copy = new IncomingMessage(request.socket);
  copy.method = request.method;
  copy.url = request.url;
  const { 'transfer-encoding': _, ...headers } = request.headers;
  copy.headers = {
    ...headers,
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(body.length),
  };
  copy.push(body);
  copy.push(null);
  copy.complete = true;
  return copy;
}
