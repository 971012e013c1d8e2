import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, failures } from '../http/errors.ts';
import type { FailureCode } from '../http/errors.ts';
import { NoAnswer } from './call.ts';
import type { End, KeptStore, WriteName } from './kept.ts';
import type { Target } from './path.ts';
import { BrokenAnswer } from './response.ts';
import type { Read } from './response.ts';
import { shortName } from './vault.ts';
import type { Vault } from './vault.ts';
import { writeThrough } from './write-through.ts';
import type { Answer } from './write-through.ts';

/** A write to run at most once: `key` is the client's `Idempotency-Key`; without one the same request within a few seconds counts as a repeat. */
export interface WriteWish {
  readonly vault: Vault;
  readonly target: Target;
  readonly body: Buffer | undefined;
  readonly key: string | undefined;
  readonly signal: AbortSignal;
  readonly send: () => Promise<Read>;
}

type Outcome =
  | { readonly status: number; readonly type?: string; readonly location?: string; readonly body: string }
  | { readonly failure: FailureCode };

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
  if ('failure' in outcome) throw new Failure(outcome.failure in failures ? outcome.failure : 'upstream_unreachable');
  const headers = { 'content-type': outcome.type, location: outcome.location };
  return { status: outcome.status, headers, body: Buffer.from(outcome.body, 'base64'), rest: undefined };
};

/**
 * Writes that happen once (draft-ietf-httpapi-idempotency-key-header): what was sent and got no answer is not sent again by a repeat, which gets
 * the first one's outcome instead, on any gateway. A refusal of the API's is no outcome: nothing happened, so the client may try again. Kept
 * answers follow each write.
 */
export function createWrites({ store, waitMs }: { readonly store: KeptStore; readonly waitMs: number }) {
  const nameOf = ({ vault, target, body, key }: WriteWish): WriteName => {
    const { method } = target.operation;
    const print = createHash('sha256')
      .update(`${method} ${target.url}\n`)
      .update(body ?? nothing)
      .digest()
      .subarray(0, 16);
    const name = key === undefined ? shortName('same', vault.prefix, print) : shortName('named', vault.prefix, key);
    return { name: `i:${name}`, explicit: key !== undefined, print, prefix: vault.prefix };
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

  /** Runs a write that has begun, and says what became of it whatever happens. */
  const run = async (wish: WriteWish, write: WriteName, epoch: number, answers: ReadonlyMap<string, Buffer>): Promise<Read> => {
    const { vault, target } = wish;
    const windowMs = write.explicit ? remembered.named : remembered.unnamed;
    const seal = (outcome: Outcome): Buffer => vault.close(write.name, Buffer.from(JSON.stringify(outcome)));
    const end = (how: End['how'], outcome?: Outcome, kept: ReadonlyMap<string, Buffer> = none): Promise<void> =>
      store.end(vault.room, write, {
        epoch,
        how,
        answers: kept,
        windowMs: outcome === undefined ? 0 : windowMs,
        outcome: outcome === undefined ? nothing : seal(outcome),
      });
    let read: Read;
    try {
      read = await wish.send();
    } catch (error) {
      const unknown =
        error instanceof BrokenAnswer ||
        (error instanceof NoAnswer && error.sent) ||
        (error instanceof Failure && error.code === 'upstream_timeout');
      const failure = error instanceof Failure ? error.code : 'upstream_unreachable';
      // The epoch went up when the write began: should this last word not arrive, nothing kept counts any more.
      await end(unknown ? 'unknown' : 'untouched', unknown ? { failure } : undefined).catch(() => undefined);
      throw error;
    }
    const { status } = read;
    const outcome = read.rest === undefined ? outcomeOf(read) : undefined;
    if (status < 300) await end('applied', outcome, changed(vault, target, read.body, answers)).catch(() => undefined);
    else if (status >= 500) await end('unknown', outcome).catch(() => undefined);
    else await end('untouched').catch(() => undefined);
    return read;
  };

  return async function write(wish: WriteWish): Promise<{ readonly read: Read; readonly repeated: boolean }> {
    if (wish.key !== undefined && !keyForm.test(wish.key))
      throw new Failure('invalid_request', { detail: 'The Idempotency-Key is not one.' });
    const named = nameOf(wish);
    const until = performance.now() + waitMs;
    for (;;) {
      const begin = await store.begin(wish.vault.room, named);
      if (begin.kind === 'begun') return { read: await run(wish, named, begin.epoch, begin.answers), repeated: false };
      if (begin.kind === 'other') throw new Failure('idempotency_key_reused');
      if (begin.kind === 'done') {
        const plain = wish.vault.open(named.name, begin.sealed);
        if (plain !== undefined) return { read: readOf(JSON.parse(plain.toString()) as Outcome), repeated: true };
      }
      if (performance.now() > until)
        throw new Failure('conflict', { detail: 'The same request is still under way.', headers: { 'Retry-After': '1' } });
      await sleep(pollMs, undefined, { signal: wish.signal });
    }
  };
}
