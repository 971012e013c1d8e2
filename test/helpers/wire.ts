import { createServer, request as send, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A reverse proxy that stands where the tenant does and keeps every secret that crosses between gateway and tenant. */
export interface Wire {
  readonly url: string;
  /** Sets where requests go on to; until then they are answered 503. */
  target(url: string): void;
  /** Every secret seen so far, by a name that says what it is. */
  secrets(): Map<string, string>;
  close(): Promise<void>;
}

// Members of token requests and answers that must never leave the server side.
const kept = [
  'access_token',
  'refresh_token',
  'id_token',
  'client_secret',
  'client_assertion',
  'code_verifier',
  'mfa_token',
  'auth_session',
];
const paths = /^\/(oauth\/|passkey\/|mfa\/)/;

/** Starts it on a free port of 127.0.0.1. The caller closes it. */
export async function startWire(): Promise<Wire> {
  const secrets = new Map<string, string>();
  let target: URL | undefined;
  const keep = (members: Iterable<[string, unknown]>): void => {
    for (const [name, value] of members) {
      if (kept.includes(name) && typeof value === 'string' && value.length >= 8)
        secrets.set(`${name} ${secrets.size + 1}`, value);
    }
  };
  const server = createServer((req, res) => {
    void (async () => {
      const body = await whole(req);
      if (!target) return res.writeHead(503).end();
      if (paths.test(req.url ?? '')) keep(membersOf(req, body));
      const onward = send(new URL(req.url ?? '/', target), {
        method: req.method ?? 'GET',
        headers: req.headers,
        agent: false,
      });
      onward.once('error', () => res.destroy());
      onward.once('response', (answer) => {
        void (async () => {
          const content = await whole(answer);
          if (paths.test(req.url ?? '')) keep(membersOf(answer, content));
          const headers = answer.rawHeaders.flatMap((name, index, all) =>
            index % 2 === 0 && name.toLowerCase() !== 'transfer-encoding'
              ? [[name, all[index + 1] ?? ''] as const]
              : [],
          );
          res.statusCode = answer.statusCode ?? 502;
          for (const [name, value] of headers) res.appendHeader(name, value);
          res.end(content);
        })().catch(() => res.destroy());
      });
      return onward.end(body);
    })().catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target(url) {
      target = new URL(url);
    },
    secrets: () => new Map(secrets),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function whole(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function membersOf(message: IncomingMessage, body: Buffer): Iterable<[string, unknown]> {
  const type = message.headers['content-type'] ?? '';
  if (type.includes('form-urlencoded')) return new URLSearchParams(body.toString());
  if (!type.includes('json')) return [];
  const parsed: unknown = JSON.parse(body.toString() || '{}');
  return typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
}
