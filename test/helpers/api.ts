import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type {
  IncomingHttpHeaders,
  IncomingMessage,
  RequestListener,
  Server,
  ServerResponse,
} from 'node:http';
import { connect, createServer as createRawServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import express from 'express';
import { bucketsOf } from '../../config/plans.ts';
import { createAccount } from '../../src/gateway/account/handler.ts';
import type { AccountParts } from '../../src/gateway/account/handler.ts';
import type { SessionLookup } from '../../src/gateway/account/prefetch.ts';
import { createClient } from '../../src/gateway/my-account/client.ts';
import type { ClientParts } from '../../src/gateway/my-account/client.ts';
import type { Tokens } from '../../src/gateway/my-account/context.ts';
import { allScopes } from '../../src/gateway/my-account/operations.ts';
import { createTransport } from '../../src/gateway/my-account/transport.ts';
import { createErrorHandler } from '../../src/gateway/http/error-handler.ts';
import { Failure } from '../../src/gateway/http/errors.ts';
import { createLog } from '../../src/gateway/http/log.ts';
import { createMetrics } from '../../src/gateway/http/metrics.ts';
import { createRequestId } from '../../src/gateway/http/request-id.ts';
import { wellFormed } from '../../src/gateway/http/well-formed.ts';
import type { Limiter } from '../../src/gateway/limiter/limiter.ts';
import { readSignal } from '../../src/gateway/limiter/feedback.ts';
import { limitsOf } from '../../src/gateway/limiter/limits.ts';
import { secondsOf, type BucketQuota } from '../../src/gateway/limiter/headers.ts';
import type { Session } from '../../src/gateway/session/sessions.ts';
import type { AccessTokenResult } from '../../src/gateway/tokens/access-token.ts';

/** One request as the API saw it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

const listen = async (server: Server | ReturnType<typeof createRawServer>): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

export interface Upstream {
  readonly origin: string;
  readonly seen: Seen[];
  readonly sockets: Set<Socket>;
  respond: (req: IncomingMessage, res: ServerResponse, body: string) => void;
  close(): Promise<void>;
}

/** An HTTP server in the API's place that writes down what it sees and answers as it is told. */
export async function startUpstream(respond?: Upstream['respond']): Promise<Upstream> {
  const sockets = new Set<Socket>();
  const seen: Seen[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      seen.push({
        method: req.method ?? '',
        url: req.url ?? '',
        headers: req.headers,
        rawHeaders: req.rawHeaders,
        body,
      });
      upstream.respond(req, res, body);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  const port = await listen(server);
  const upstream: Upstream = {
    origin: `http://127.0.0.1:${port}`,
    seen,
    sockets,
    respond:
      respond ??
      ((_req, res) => void res.setHeader('content-type', 'application/json').end('{"factors":[]}')),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return upstream;
}

/** A TCP server in the API's place, for answers that no HTTP server would give. */
export async function startRawUpstream(
  onConnection: (socket: Socket) => void,
): Promise<{ origin: string; sockets: Set<Socket>; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createRawServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  const port = await listen(server);
  return {
    origin: `http://127.0.0.1:${port}`,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export const quota: BucketQuota = { limit: 5, remaining: 4, resetIn: 12 };

/** A session that is signed in, with an access token of these scopes. */
export const sessionOf = (own: { scopes?: readonly string[]; token?: string } = {}): Session => ({
  key: 'session-1',
  user: 'user-1',
  generation: 1,
  record: {
    sub: 'auth0|user-1',
    idToken: 'an ID token',
    tokens: [
      {
        audience: 'the API',
        scope: own.scopes ?? allScopes,
        value: own.token ?? 'at-1',
        expiresAt: Infinity,
        renewAt: Infinity,
      },
    ],
  },
  createdAt: 0,
  endsAt: Infinity,
  idleLeftMs: Infinity,
  vault: randomBytes(32),
  now: () => Date.now(),
});
export const session = sessionOf();

const scopesOf = ({ record }: Session): readonly string[] => record.tokens[0]?.scope ?? [];

/** Every request comes from this one. */
export const from = (who: Session | undefined): SessionLookup => ({
  find: () => Promise.resolve(who),
  one: () => undefined,
  crossSiteReason: () => undefined,
});

const plan = bucketsOf('enterprise');

/** A limiter that admits everything, writes down what it was asked and told, and says for how long an answer closes a bucket. */
export function openLimiter() {
  const asked: Parameters<Limiter['take']>[0][] = [];
  const told: Parameters<Limiter['feedback']>[0][] = [];
  let refunds = 0;
  const limiter: Limiter = {
    take: (wish) => {
      asked.push(wish);
      return Promise.resolve({
        admitted: true,
        quota,
        waitedMs: 0,
        settled: () => undefined,
        refund: () => (refunds += 1),
      });
    },
    reserve: () => undefined,
    refusal: () => undefined,
    feedback: (answer) => {
      told.push(answer);
      const signal = readSignal(answer, plan, limitsOf(plan), undefined, Date.now());
      return signal !== undefined && 'retryMs' in signal ? secondsOf(signal.retryMs) : undefined;
    },
    peek: () => Promise.resolve({ authentication_methods_read: quota }),
    close: () => Promise.resolve(),
  };
  return { limiter, asked, told, givenBack: () => refunds };
}

/** The session's token, or another one of the same scopes. */
export const usable = (
  of: Session,
  token = of.record.tokens[0]?.value ?? '',
): AccessTokenResult => ({
  kind: 'usable',
  headers: () => Promise.resolve({ Authorization: `Bearer ${token}` }),
  scope: scopesOf(of),
});

/** A supply of tokens that knows the session's scopes. */
export const tokensOf = (
  token: (of: Session) => AccessTokenResult,
  rejected: (of: Session) => void = () => undefined,
): Tokens => ({
  declined: () => false,
  scopes: scopesOf,
  token: (of) => Promise.resolve(token(of)),
  rejected,
});

export interface Gateway {
  readonly origin: string;
  readonly port: number;
  readonly server: Server;
  close(): Promise<void>;
}

/** The client of the API at this origin, and the route over it, with a signed-in session unless told otherwise. */
export function createApi(upstream: string, parts: ApiParts = {}) {
  const { connectMs = 2_000, answerMs = 10_000 } = parts;
  const transport = createTransport({ upstream, connectMs, answerMs });
  const shared = {
    upstream,
    publicPath: '/api/me',
    tokens: tokensOf((of) => usable(of)),
    limiter: openLimiter().limiter,
    metrics: createMetrics(),
    answerMs,
    cache: undefined,
  };
  const client = createClient({ ...shared, transport, ...parts });
  const account = createAccount({
    ...shared,
    client,
    sessions: from(session),
    challenge: ({ scope, reason, maxAge, returnTo }) =>
      new Failure('step_up_required', {
        members: {
          stepUpUrl: `/auth/step-up?scope=${scope.join('+')}`,
          scope,
          reason,
          ...(maxAge !== undefined && { maxAge }),
          returnTo,
        },
      }),
    headers: [],
    pipeline: undefined,
    ...parts,
  });
  return { account, client, close: () => transport.close() };
}

/** What may be different. */
export type ApiParts = Partial<AccountParts & ClientParts & { connectMs: number }>;

/** The route on a port of its own. */
export async function startGateway(upstream: string, parts: ApiParts = {}): Promise<Gateway> {
  const { account, close } = createApi(upstream, parts);
  const app = express();
  app.use(wellFormed, createRequestId());
  app.use('/api/me', account);
  app.use((_req, _res, next) => {
    next(new Failure('not_found'));
  });
  app.use(createErrorHandler({ log: createLog({ level: 'silent' }) }));
  // As serve.ts makes it.
  const server = createServer({ optimizeEmptyRequests: true }, app as RequestListener);
  const port = await listen(server);
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    server,
    async close() {
      close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Sends bytes to a port and answers everything that came back until the connection ended, or after `ms` of waiting for that. */
export async function raw(port: number, bytes: string | Buffer, ms = 2_000): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  const timer = setTimeout(() => socket.destroy(), ms);
  socket.write(bytes);
  await once(socket, 'close');
  clearTimeout(timer);
  return Buffer.concat(chunks).toString('latin1');
}
