import { STATUS_CODES } from 'node:http';
import type { Switches } from '../state/switches.ts';

/** One finding of a request's check, in Ajv's words. */
export interface ValidationError {
  readonly detail: string;
  readonly pointer?: string;
  readonly field?: string;
  readonly source?: string;
}

/**
 * Every refusal of the My Account API: Auth0's code, status and title, and the detail where the
 * place gives no other.
 */
const problems = {
  invalid_request: {
    code: 'A0E-400-0001',
    status: 400,
    title: 'Bad Request',
    detail: 'The request is invalid.',
  },
  invalid_payload: {
    code: 'A0E-400-0003',
    status: 400,
    title: 'Validation Error',
    detail: 'Invalid request payload input',
  },
  read_only_field: {
    code: 'A0E-400-0008',
    status: 400,
    title: 'Bad Request',
    detail: 'The request changes a field that is read-only.',
  },
  refused_proof: {
    code: 'A0E-400-0001',
    status: 400,
    title: 'Bad Request',
    detail: 'The request is invalid.',
  },
  push_pending: {
    code: 'A0E-400-0001',
    status: 400,
    title: 'Bad Request',
    detail: 'The push notification has not been approved.',
  },
  missing_token: {
    code: 'A0E-401-0002',
    status: 401,
    title: 'Missing Token',
    detail: 'No auth token provided.',
  },
  invalid_token: {
    code: 'A0E-401-0003',
    status: 401,
    title: 'Invalid Token',
    detail: 'Invalid Token',
  },
  insufficient_scope: {
    code: 'A0E-403-0002',
    status: 403,
    title: 'Insufficient Scope',
    detail: 'The auth token lacks the required scope.',
  },
  not_found: {
    code: 'A0E-404-0001',
    status: 404,
    title: 'Not Found',
    detail: 'The requested resource was not found.',
  },
  method_not_found: {
    code: 'A0E-404-0002',
    status: 404,
    title: 'Resource Not Found',
    detail: 'The requested resource was not found.',
  },
  conflict: {
    code: 'A0E-409-0001',
    status: 409,
    title: 'Conflict',
    detail: 'The request conflicts with the current state of the resource.',
  },
  duplicate: {
    code: 'A0E-409-0003',
    status: 409,
    title: 'Duplicate Resource',
    detail: 'The resource already exists.',
  },
  unsupported_media_type: {
    code: 'A0E-415-0001',
    status: 415,
    title: 'Unsupported Media Type',
    detail: 'The content type must be application/json.',
  },
  rate_limited: {
    code: 'A0E-429-0003',
    status: 429,
    title: 'Endpoint Rate Limit Exceeded',
    detail: 'The endpoint request limit has been exceeded.',
  },
  internal: {
    code: 'A0E-500-0001',
    status: 500,
    title: 'Internal Server Error',
    detail: 'An unexpected error occurred.',
  },
} as const satisfies Record<
  string,
  { code: string; status: number; title: string; detail: string }
>;

/** The name of a line of the table. */
export type ProblemName = keyof typeof problems;

interface ProblemOptions {
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly errors?: readonly ValidationError[];
}

/** A refusal thrown anywhere in the My Account API and answered in one place. */
export class Problem extends Error {
  readonly problem: ProblemName;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly ValidationError[] | undefined;

  constructor(problem: ProblemName, options: ProblemOptions = {}) {
    super(options.detail ?? problems[problem].detail);
    this.name = 'Problem';
    this.problem = problem;
    this.detail = this.message;
    this.headers = options.headers ?? {};
    this.errors = options.errors;
  }

  /**
   * The body Auth0 answers with: `ErrorResponse` of the OpenAPI file, the code at the end of
   * `type`.
   */
  body(switches: Switches): Record<string, unknown> {
    const status = this.statusUnder(switches);
    const listed = problems[this.problem];
    const moved = status !== listed.status;
    const known = this.problem === 'rate_limited' ? switches.rateLimitCode : listed.code;
    const code = moved ? `A0E-${status}-0001` : known;
    return {
      type: `https://auth0.com/api-errors${switches.errorTypeSpelling === 'path' ? '/' : '#'}${code}`,
      title: moved ? (STATUS_CODES[status] ?? listed.title) : listed.title,
      status,
      detail: this.detail,
      ...(this.errors ? { validation_errors: this.errors } : {}),
    };
  }

  /**
   * The status of the answer; a refused proof and a pending push have switches, for nobody outside
   * Auth0 knows theirs.
   */
  statusUnder(switches: Switches): number {
    if (this.problem === 'refused_proof') return switches.wrongCodeStatus;
    if (this.problem === 'push_pending') return switches.pushPendingStatus;
    return problems[this.problem].status;
  }
}
