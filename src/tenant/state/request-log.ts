import type { Clock } from './clock.ts';

/**
 * One request the tenant has seen, whoever answered it. Tokens in headers are shown as what they
 * say, never as they are.
 */
export interface SeenRequest {
  /** Counts up from 1; `since` takes it. */
  id: number;
  at: string;
  /** Tenant time, milliseconds. */
  time: number;
  method: string;
  path: string;
  query: Record<string, string | string[]>;
  status: number;
  headers: Record<string, string | string[]>;
  /**
   * Form or JSON members of an OAuth call with secrets left out: `grant_type`, `client_id`,
   * `scope`, `audience`, …
   */
  parameters?: Record<string, string>;
  /** Of a bearer or DPoP access token in `Authorization`. */
  token?: {
    scheme: string;
    sub?: string;
    scope?: string;
    jti?: string;
    aud?: string | string[];
    client?: string;
    sid?: string;
  };
  durationMs: number;
}

/** The newest requests of one tenant. */
export interface RequestLog {
  add(request: Omit<SeenRequest, 'id' | 'at' | 'time'>): void;
  since(id?: number): SeenRequest[];
  clear(): void;
}

const kept = 20_000;

/** Makes an empty log that keeps the newest 20,000 requests. */
export function createRequestLog(clock: Clock): RequestLog {
  let seen: SeenRequest[] = [];
  let next = 1;
  return {
    add(request) {
      seen.push({ id: next, at: clock.iso(), time: clock.now(), ...request });
      next += 1;
      if (seen.length > kept * 2) seen = seen.slice(-kept);
    },
    since: (id = 0) => seen.filter((request) => request.id > id).slice(-kept),
    clear() {
      seen = [];
    },
  };
}
