/** What a failed call says about itself; members that the answer did not have are absent. */
export interface Problem {
  /** HTTP status; 0 when no answer came. */
  status: number;
  /**
   * Stable, to decide by: the gateway's own code, else Auth0's (`A0E-400-0003`), else
   * `http_<status>`; `unreachable` when no answer came.
   */
  code: string;
  title: string;
  detail: string;
  type?: string;
  /** Whole seconds after which a repeat can succeed (RFC 9110, 10.2.3). */
  retryAfterSeconds?: number;
  /** Where to confirm who the user is, when `code` is `step_up_required`. */
  stepUpUrl?: string;
  scope?: string[];
  reason?: string;
  /** Where to sign in, when `code` is `login_required`. */
  loginUrl?: string;
  /** What Auth0 found wrong with the body. */
  validationErrors?: { detail: string; field?: string; pointer?: string }[];
  /** Names this very answer, for whoever reads the gateway's log. */
  instance?: string;
}

/** A call that did not succeed, as RFC 9457 problem details or Auth0's own error body said it. */
export class ProblemError extends Error implements Problem {
  override readonly name = 'ProblemError';
  declare readonly status: number;
  declare readonly code: string;
  declare readonly title: string;
  declare readonly detail: string;
  declare readonly type?: string;
  declare readonly retryAfterSeconds?: number;
  declare readonly stepUpUrl?: string;
  declare readonly scope?: string[];
  declare readonly reason?: string;
  declare readonly loginUrl?: string;
  declare readonly validationErrors?: { detail: string; field?: string; pointer?: string }[];
  declare readonly instance?: string;

  constructor(problem: Problem, options?: { cause?: unknown }) {
    super(problem.detail || problem.title, options);
    Object.assign(this, problem);
  }
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** Retry-After in whole seconds, whether it came as seconds or as a date. */
const retryAfter = (header: string | null, now: number): number | undefined => {
  if (header === null || header === '') return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : undefined;
};

const scopes = (value: unknown): string[] | undefined =>
  typeof value === 'string'
    ? value.split(' ').filter(Boolean)
    : Array.isArray(value)
      ? value.filter((one) => typeof one === 'string')
      : undefined;

/** Reads a failed answer; a body that is no JSON object is left aside, the status still tells. */
export async function readProblem(response: Response, now: number): Promise<ProblemError> {
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = await response.json();
    if (typeof parsed === 'object' && parsed !== null) body = { ...parsed };
  } catch {
    // An HTML page of some proxy in between, or nothing at all.
  }
  const type = text(body['type']);
  const code =
    text(body['code']) ?? /A0E-\d+-\d+/.exec(type ?? '')?.[0] ?? `http_${response.status}`;
  const found = {
    type,
    retryAfterSeconds: retryAfter(response.headers.get('retry-after'), now),
    stepUpUrl: text(body['stepUpUrl']),
    scope: scopes(body['scope']),
    reason: text(body['reason']),
    loginUrl: text(body['loginUrl']),
    validationErrors: Array.isArray(body['validation_errors'])
      ? (body['validation_errors'] as { detail: string }[])
      : undefined,
    instance: text(body['instance']),
  };
  const present = Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined),
  );
  const title = text(body['title']) ?? `HTTP ${response.status}`;
  return new ProblemError({
    ...present,
    status: response.status,
    code,
    title,
    detail: text(body['detail']) ?? title,
  });
}
