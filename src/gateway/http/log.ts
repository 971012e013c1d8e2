import { pino } from 'pino';
import type { DestinationStream, Level } from 'pino';
import { openLogDestination } from './log-destination.ts';

/** The only fields a log line may have. Headers, bodies, query values, tokens and user ids have no name here, so they cannot be logged. */
const fields = new Set([
  'event',
  'err',
  'requestId',
  'traceparent',
  'method',
  'route',
  'operation',
  'status',
  'code',
  'reason',
  'outcome',
  'ms',
  'bytes',
  'seconds',
  'count',
  'attempt',
  'class',
  'kind',
  'plan',
  'address',
  'signal',
  'instance',
  'instances',
  'setting',
  'store',
  'version',
]);

/** Token-shaped text: a JWT, a sealed value of Auth0's, an Authorization value, the value of a parameter that carries a secret. */
const secrets =
  /eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*|Fe26\.2\*[^\s"']+|\b(?:Bearer|DPoP|Basic)\s+[^\s"',]+|\b((?:access_|refresh_|id_|logout_)?token|code|state|nonce|code_verifier|client_secret|client_assertion|auth_session|password|otp_code)=[^&\s"']+/gi;

/** Text without what looks like a token or secret: for messages that come from elsewhere. */
export function scrub(text: string): string {
  return text.replace(secrets, (_match, name: string | undefined) =>
    name === undefined ? '[removed]' : `${name}=[removed]`,
  );
}

/** The logger handed to every part: an object of allow-listed fields, then the sentence. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

interface Told {
  type: string;
  message: string;
  code?: string;
  stack?: string;
  cause?: Told;
}

/** An error as the log shows it: name, message, code, stack and its causes, scrubbed; no other property, since libraries hang responses there. */
export function describeError(error: unknown, depth = 3): Told {
  if (!(error instanceof Error))
    return {
      type: typeof error,
      message: typeof error === 'string' ? scrub(error) : 'not an error',
    };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const cause =
    error.cause !== undefined && depth > 0 ? { cause: describeError(error.cause, depth - 1) } : {};
  return {
    type: error.name,
    message: scrub(error.message),
    ...code,
    ...(error.stack ? { stack: scrub(error.stack) } : {}),
    ...cause,
  };
}

const allowed = (line: Record<string, unknown>): Record<string, unknown> => {
  for (const name in line) {
    if (!fields.has(name))
      return Object.fromEntries(Object.entries(line).filter(([each]) => fields.has(each)));
  }
  return line;
};

// Many lines of a busy gateway fall into one millisecond: its text is made once.
let written = { at: 0, text: '' };
const isoTime = (): string => {
  const at = Date.now();
  if (at !== written.at) written = { at, text: `,"time":"${new Date(at).toISOString()}"` };
  return written.text;
};

let standardOutput: DestinationStream | undefined;

/** Makes the JSON logger. Fields outside the allow-list are dropped, errors are reduced and scrubbed. */
export function createLog(
  options: { readonly level?: Level | 'silent'; readonly destination?: DestinationStream } = {},
): Log {
  const settings = {
    level: options.level ?? 'info',
    base: null,
    timestamp: isoTime,
    serializers: { err: (error: unknown) => describeError(error) },
    formatters: { level: (label: string) => ({ level: label }), log: allowed },
  };
  return pino(settings, options.destination ?? (standardOutput ??= openLogDestination(1)));
}
