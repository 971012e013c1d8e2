import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../http/errors.ts';
import { NoAnswer } from './call.ts';
import type { Change, ChangeEnd, IdempotencyStore } from './idempotency-store.ts';
import { leaseMs } from './idempotency-store.ts';
import type { End, KeptStore } from './kept.ts';
import { operations } from './operations.ts';
import type { Target } from './path.ts';
import { BrokenAnswer } from './response.ts';
import type { Read } from './response.ts';
import { shortName } from './vault.ts';
import type { Vault } from './vault.ts';
import { writeThrough } from './write-through.ts';
import type { Answer } from './write-through.ts';

/** A change to make at most once: `key` is the client's `Idempotency-Key`; without one the same request within a few seconds counts as a repeat. */
export interface ChangeRequest {
  readonly vault: Vault;
  readonly target: Target;
  readonly body: Buffer | undefined;
  readonly key: string | undefined;
  readonly signal: AbortSignal;
  readonly send: () => Promise<Read>;
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

const outcomeOf = ({ status, headers, body }: Read): Outcome => {
  const { 'content-type': type, location } = headers;
  const text = { ...(typeof type === 'string' && { type }), ...(typeof location === 'string' && { location }) };
  return { status, ...text, body: body.toString('base64') };
};

const readOf = (outcome: Outcome): Read => {
  const headers = { 'content-type': outcome.type, location: outcome.location };
  return { status: outcome.status, headers, body: Buffer.from(outcome.body, 'base64'), rest: undefined };
};

/** Whether the request may have been carried out all the same. */
const mayBeDone = (error: unknown): boolean =>
  error instanceof BrokenAnswer ||
  (error instanceof NoAnswer && error.sent) ||
  (error instanceof Failure && error.code === 'upstream_timeout');

/** The refusal of a repeat, with the read that shows whether the change was made. */
const unknown = (area: string, publicPath: string): Failure => {
  const shows = operations.find(({ method, path }) => method === 'GET' && path.startsWith(`/${area}`) && !path.includes('{'));
  const lookAt = `${publicPath}/v1${shows?.path ?? `/${area}`}`;
  return new Failure('outcome_unknown', {
    detail: `The change was sent, and its answer was lost. Read ${lookAt} to see whether it was made; if not, send it under a new Idempotency-Key.`,
    members: { lookAt },
  });
};

/**
 * Changes that happen once (draft-ietf-httpapi-idempotency-key-header): what was sent is not sent again by a repeat, which gets the first one's
 * outcome instead, on any gateway, or hears at once that nobody knows it. A refusal of the API's is no outcome: nothing happened, so the client may
 * try again. Kept answers follow each change.
 */
export function createIdempotency(parts: {
  readonly changes: IdempotencyStore;
  readonly answers: KeptStore;
  readonly waitMs: number;
  readonly publicPath: string;
}) {
  const { changes, answers: store, waitMs, publicPath } = parts;

  const changeOf = ({ vault, target, body, key }: ChangeRequest): Change => {
    const { method } = target.operation;
    const fingerprint = createHash('sha256')
      .update(`${method} ${target.url}\n`)
      .update(body ?? nothing)
      .digest()
      .subarray(0, 16);
    const name = key === undefined ? shortName('same', vault.prefix, fingerprint) : shortName('named', vault.prefix, key);
    return { user: vault.user, area: vault.area, name: `i:${name}`, explicit: key !== undefined, fingerprint };
  };

  const changed = (vault: Vault, target: Target, confirmed: Buffer, sealed: ReadonlyMap<string, Buffer>): Map<string, Buffer> => {
    const kept = new Map<string, Answer>();
    for (const [name, bytes] of sealed) {
      const answer = vault.openAnswer(name, bytes);
      if (answer !== undefined) kept.set(name, answer);
    }
    const after = writeThrough(target, confirmed, kept);
    return new Map([...after].map(([name, answer]) => [name, vault.closeAnswer(name, answer)]));
  };

  /** Sends a change that was claimed, and says what became of it and of the kept answers whatever happens. */
  const run = async (request: ChangeRequest, change: Change, number: number): Promise<Read> => {
    const { vault, target } = request;
    const rememberMs = change.explicit ? remembered.named : remembered.unnamed;
    const settle = (end: ChangeEnd): Promise<void> => changes.settle(change, number, end);
    const begun = await store.begin(vault.room, vault.prefix).catch(async (failure: unknown) => {
      await settle({ kind: 'forget' }).catch(() => undefined);
      throw failure;
    });
    // The epoch went up when the change began: should a last word not arrive, nothing kept counts any more, and the change is one nobody saw the end of.
    const end = async (how: End['how'], outcome: ChangeEnd, kept: ReadonlyMap<string, Buffer> = none): Promise<void> => {
      await Promise.allSettled([store.end(vault.room, { epoch: begun.epoch, how, answers: kept }), settle(outcome)]);
    };
    let read: Read;
    try {
      read = await request.send();
    } catch (error) {
      if (mayBeDone(error)) await end('unknown', { kind: 'unknown', rememberMs });
      else await end('untouched', { kind: 'forget' });
      throw error;
    }
    const { status } = read;
    const outcome: ChangeEnd =
      read.rest === undefined
        ? { kind: 'done', rememberMs, sealed: vault.close(change.name, Buffer.from(JSON.stringify(outcomeOf(read)))) }
        : { kind: 'unknown', rememberMs };
    if (status < 300) await end('applied', outcome, changed(vault, target, read.body, begun.answers));
    else if (status >= 500) await end('unknown', outcome);
    else await end('untouched', { kind: 'forget' });
    return read;
  };

  return async function write(request: ChangeRequest): Promise<{ readonly read: Read; readonly repeated: boolean }> {
    if (request.key !== undefined && !keyForm.test(request.key))
      throw new Failure('invalid_request', { detail: 'The Idempotency-Key is not one.' });
    const change = changeOf(request);
    const until = performance.now() + waitMs;
    for (;;) {
      const claim = await changes.claim(change);
      if (claim.kind === 'claimed') {
        const { number } = claim;
        const living = setInterval(() => void changes.hold(change, number).catch(() => undefined), leaseMs / 4);
        const read = await run(request, change, number).finally(() => {
          clearInterval(living);
        });
        return { read, repeated: false };
      }
      if (claim.kind === 'other') throw new Failure('idempotency_key_reused');
      if (claim.kind === 'full')
        throw new Failure('rate_limited', { detail: 'Too many changes within ten minutes.', headers: { 'Retry-After': '60' } });
      const plain = claim.kind === 'done' ? request.vault.open(change.name, claim.sealed) : undefined;
      if (plain !== undefined) return { read: readOf(JSON.parse(plain.toString()) as Outcome), repeated: true };
      if (claim.kind !== 'busy') throw unknown(change.area, publicPath);
      if (performance.now() > until)
        throw new Failure('conflict', { detail: 'The same request is still under way.', headers: { 'Retry-After': '1' } });
      await sleep(pollMs, undefined, { signal: request.signal });
    }
  };
}
