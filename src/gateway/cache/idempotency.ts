import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../http/errors.ts';
import { NoResponse, TruncatedResponse } from '../http/upstream-response.ts';
import type { UpstreamResponse } from '../http/upstream-response.ts';
import { leaseMs } from './idempotency-store.ts';
import type { Change, ChangeEnd, IdempotencyStore } from './idempotency-store.ts';
import { shortName } from './sealed-entry.ts';
import type { CachedAnswer, SealedEntries } from './sealed-entry.ts';
import type { CacheStore, WriteEnd } from './store.ts';
import { writeThrough } from './write-through.ts';
import type { AppliedChange } from './write-through.ts';

/** A change to make at most once. */
export interface ChangeRequest extends AppliedChange {
  readonly entries: SealedEntries;
  readonly method: string;
  readonly url: string;
  readonly body: Buffer | undefined;
  /** The client's `Idempotency-Key`; without one the same request within a few seconds counts as a repeat. */
  readonly key: string | undefined;
  /** The address of the read that shows whether the change was made. */
  readonly lookAt: string;
  readonly signal: AbortSignal;
  readonly send: () => Promise<UpstreamResponse>;
}

interface Outcome {
  readonly status: number;
  readonly type?: string;
  readonly location?: string;
  readonly body: string;
}

/** How long an outcome is given again, in milliseconds: to a client that named its request, and to one that just sent the same again. */
const remembered = { named: 600_000, unnamed: 5_000 };
const pollMs = 100;
const keyForm = /^[\x21-\x7e]{1,255}$/;
const none = new Map<string, Buffer>();
const nothing = Buffer.alloc(0);

const outcomeOf = ({ status, headers, body }: UpstreamResponse): Outcome => {
  const { 'content-type': type, location } = headers;
  return {
    status,
    ...(typeof type === 'string' && { type }),
    ...(typeof location === 'string' && { location }),
    body: body.toString('base64'),
  };
};

const responseOf = ({ status, type, location, body }: Outcome): UpstreamResponse => ({
  status,
  headers: { 'content-type': type, location },
  body: Buffer.from(body, 'base64'),
  bodyStream: undefined,
});

/** Whether the request may have been carried out all the same. */
const mayBeDone = (error: unknown): boolean =>
  error instanceof TruncatedResponse ||
  (error instanceof NoResponse && error.sent) ||
  (error instanceof Failure && error.code === 'upstream_timeout');

const unknown = (lookAt: string): Failure =>
  new Failure('outcome_unknown', {
    detail:
      `The change was sent, and its answer was lost. Read ${lookAt} to see whether it was made; ` +
      'if not, send it under a new Idempotency-Key.',
    members: { lookAt },
  });

/**
 * Makes changes that happen once (draft-ietf-httpapi-idempotency-key-header): what was sent is not
 * sent again by a repeat, which gets the first one's outcome instead, on any gateway, or hears at
 * once that nobody knows it. A refusal of the API's is no outcome: nothing happened, so the client
 * may try again. Cached answers follow each change.
 */
export function createIdempotency(parts: {
  readonly changes: IdempotencyStore;
  readonly store: CacheStore;
  readonly waitMs: number;
}) {
  const { changes, store, waitMs } = parts;

  const changeOf = ({ entries, method, url, body, key }: ChangeRequest): Change => {
    const hash = createHash('sha256').update(`${method} ${url}\n`);
    const fingerprint = hash
      .update(body ?? nothing)
      .digest()
      .subarray(0, 16);
    const { prefix, user, area } = entries;
    const name =
      key === undefined ? shortName('same', prefix, fingerprint) : shortName('named', prefix, key);
    return { user, area, name: `i:${name}`, explicit: key !== undefined, fingerprint };
  };

  const following = (
    request: ChangeRequest,
    confirmed: Buffer,
    sealed: ReadonlyMap<string, Buffer>,
  ): Map<string, Buffer> => {
    const { entries } = request;
    const before = new Map<string, CachedAnswer>();
    for (const [name, bytes] of sealed) {
      const answer = entries.unsealAnswer(name, bytes);
      if (answer !== undefined) before.set(name, answer);
    }
    const after = writeThrough(request, confirmed, before);
    return new Map([...after].map(([name, answer]) => [name, entries.sealAnswer(name, answer)]));
  };

  /** Sends a change that was claimed, and says what became of it and of the cached answers whatever happens. */
  const run = async (
    request: ChangeRequest,
    change: Change,
    number: number,
  ): Promise<UpstreamResponse> => {
    const { entries } = request;
    const rememberMs = change.explicit ? remembered.named : remembered.unnamed;
    const settle = (end: ChangeEnd): Promise<void> => changes.settle(change, number, end);
    const begun = await store
      .beginWrite(entries.namespace, entries.prefix)
      .catch(async (failure: unknown) => {
        await settle({ kind: 'forget' }).catch(() => undefined);
        throw failure;
      });
    // The epoch went up when the change began: should a last word not arrive, nothing cached counts
    // any more, and the change is one nobody saw the end of.
    const end = async (
      how: WriteEnd['how'],
      outcome: ChangeEnd,
      answers: ReadonlyMap<string, Buffer> = none,
    ): Promise<void> => {
      const ended = store.endWrite(entries.namespace, { epoch: begun.epoch, how, answers });
      await Promise.allSettled([ended, settle(outcome)]);
    };
    let response: UpstreamResponse;
    try {
      response = await request.send();
    } catch (error) {
      if (mayBeDone(error)) await end('unknown', { kind: 'unknown', rememberMs });
      else await end('untouched', { kind: 'forget' });
      throw error;
    }
    const { status, bodyStream } = response;
    if (status >= 300 && status < 500) {
      await end('untouched', { kind: 'forget' });
      return response;
    }
    const sealed = entries.seal(change.name, Buffer.from(JSON.stringify(outcomeOf(response))));
    const outcome: ChangeEnd =
      bodyStream === undefined
        ? { kind: 'done', rememberMs, sealed }
        : { kind: 'unknown', rememberMs };
    if (status >= 500) await end('unknown', outcome);
    else await end('applied', outcome, following(request, response.body, begun.answers));
    return response;
  };

  return async function once(
    request: ChangeRequest,
  ): Promise<{ readonly response: UpstreamResponse; readonly repeated: boolean }> {
    if (request.key !== undefined && !keyForm.test(request.key))
      throw new Failure('invalid_request', { detail: 'The Idempotency-Key is not one.' });
    const change = changeOf(request);
    const until = performance.now() + waitMs;
    for (;;) {
      const claim = await changes.claim(change);
      if (claim.kind === 'claimed') {
        const { number } = claim;
        const hold = (): void => void changes.hold(change, number).catch(() => undefined);
        const living = setInterval(hold, leaseMs / 4);
        const response = await run(request, change, number).finally(() => {
          clearInterval(living);
        });
        return { response, repeated: false };
      }
      if (claim.kind === 'other') throw new Failure('idempotency_key_reused');
      if (claim.kind === 'full') {
        throw new Failure('rate_limited', {
          detail: 'Too many changes within ten minutes.',
          headers: { 'Retry-After': '60' },
        });
      }
      const plain =
        claim.kind === 'done' ? request.entries.unseal(change.name, claim.sealed) : undefined;
      if (plain !== undefined)
        return { response: responseOf(JSON.parse(plain.toString()) as Outcome), repeated: true };
      if (claim.kind !== 'busy') throw unknown(request.lookAt);
      if (performance.now() > until) {
        const headers = { 'Retry-After': '1' };
        throw new Failure('conflict', { detail: 'The same request is still under way.', headers });
      }
      await sleep(pollMs, undefined, { signal: request.signal });
    }
  };
}
