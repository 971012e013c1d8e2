const iana = 'https://iana.org/assignments/http-problem-types';

interface Row {
  readonly status: number;
  readonly title: string;
  /** Problem type; without one it is made from the code. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Every way this gateway says no: the stable code, the status and the title a person reads. Decide by code, never by title. */
export const failures = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  login_expired: {
    status: 400,
    title: 'The sign-in took too long or was begun in another browser',
  },
  session_ambiguous: { status: 400, title: 'The browser sent more than one sign-in' },
  login_failed: { status: 400, title: 'The sign-in did not succeed' },
  connect_failed: { status: 400, title: 'The account was not connected' },
  // RFC 9110 section 15.5.2: a 401 names a way in. Browsers ignore a scheme they do not know, so no password box appears.
  login_required: {
    status: 401,
    title: 'Sign in first',
    headers: { 'WWW-Authenticate': 'Session realm="account"' },
  },
  wrong_credentials: {
    status: 401,
    title: 'The sign-in was not right',
    headers: { 'WWW-Authenticate': 'Session realm="account"' },
  },
  step_up_required: { status: 403, title: 'Confirm that it is you' },
  mfa_required: { status: 403, title: 'A second factor is needed' },
  cross_site_request: { status: 403, title: 'The request came from another site' },
  forbidden: { status: 403, title: 'This is not allowed' },
  not_found: { status: 404, title: 'Nothing is here' },
  operation_not_found: { status: 404, title: 'The My Account API has no such operation' },
  method_not_allowed: { status: 405, title: 'The operation does not know this method' },
  body_timeout: { status: 408, title: 'The request body did not arrive in time' },
  conflict: { status: 409, title: 'The request conflicts with another one' },
  user_changed: { status: 409, title: 'Somebody else is signed in here by now' },
  outcome_unknown: { status: 409, title: 'It is not known whether this change was made' },
  body_too_large: { status: 413, title: 'The request body is too large' },
  wrong_host: { status: 421, title: 'This address is not served here' },
  unsupported_media_type: { status: 415, title: 'The request body must be JSON' },
  idempotency_key_reused: {
    status: 422,
    title: 'The Idempotency-Key was used with another request',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests for this account',
    type: `${iana}#quota-exceeded`,
  },
  too_many_attempts: { status: 429, title: 'Too many attempts to sign in' },
  internal: { status: 500, title: 'Something went wrong here' },
  upstream_unreachable: { status: 502, title: 'The account service could not be reached' },
  tenant_busy: {
    status: 503,
    title: 'The account service is busy',
    type: `${iana}#temporary-reduced-capacity`,
  },
  store_unavailable: { status: 503, title: 'Sessions cannot be read or stored just now' },
  too_many_streams: { status: 503, title: 'Too many event streams are open here' },
  shutting_down: { status: 503, title: 'This server is stopping' },
  upstream_timeout: { status: 504, title: 'The account service took too long' },
} as const satisfies Record<string, Row>;

/** The stable name of a failure, as in the problem's `code` member. */
export type FailureCode = keyof typeof failures;

/** What a failure may carry besides its code: response headers, extra problem members and the cause, which is logged and never sent. */
export interface FailureOptions {
  readonly detail?: string;
  /** A list is one header for each of its values. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly members?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A failure this gateway answers on purpose; thrown anywhere, answered by `error-handler`. `members` go into the problem as they are. */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly status: number;
  readonly title: string;
  readonly type: string;
  readonly detail: string | undefined;
  readonly headers: Record<string, string | readonly string[]>;
  readonly members: Record<string, unknown>;

  constructor(code: FailureCode, options: FailureOptions = {}) {
    const row: Row = failures[code];
    // What is said of a request that was wrong, or one too many, is no fault of this program's: nobody asks where it came from, and a stack costs more than the answer.
    const { stackTraceLimit } = Error;
    if (row.status < 500) Error.stackTraceLimit = 0;
    super(
      options.detail ?? row.title,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'Failure';
    this.code = code;
    this.status = row.status;
    this.title = row.title;
    this.type = row.type ?? `urn:my-account-bff:error:${code}`;
    this.detail = options.detail;
    this.headers = { ...row.headers, ...options.headers };
    this.members = { ...options.members };
  }
}
