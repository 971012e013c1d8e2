import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import { parseCookies, type SentCookie } from '../http/cookies.ts';
import type { Seal } from '../session/seal.ts';
import type { Store } from '../session/store.ts';

/**
 * What a way to Auth0 and back is for; sealed into `state`, so it is kept even when the browser's
 * part of it is lost.
 */
export interface Transaction {
  readonly kind: 'login' | 'step-up';
  /** A full URL of this origin. */
  readonly returnTo: string;
  readonly scope: readonly string[];
  /** At a step-up: who it must be again. */
  readonly sub?: string | undefined;
  readonly popup?: boolean | undefined;
  /** Begun by itself, because the answer to the one before it was lost: not a second time. */
  readonly anew?: boolean | undefined;
}

/**
 * A callback's `state`, looked at: good and never seen before, or the reason why not, with the way
 * back wherever it is known.
 */
export type Taken =
  | {
      readonly kind: 'good';
      readonly transaction: Transaction;
      readonly nonce: string;
      readonly verifier: string;
    }
  | { readonly kind: 'expired' | 'foreign' | 'used'; readonly transaction: Transaction }
  | { readonly kind: 'unknown' };

/**
 * Ways to Auth0 and back, each bound to the browser that began it by a cookie of its own, so tabs
 * do not disturb each other.
 */
export interface Transactions {
  /** Begins one: sets its cookie, and drops the browser's oldest beyond five. */
  begin(
    req: Request,
    res: Response,
    transaction: Transaction,
  ): { readonly state: string; readonly nonce: string; readonly verifier: string };
  /**
   * Returns what a `state` made here says, whoever brings it and however often; undefined for any
   * other text.
   */
  read(state: string): Transaction | undefined;
  /** Takes one by its `state`, once (RFC 9700 sections 4.2.4 and 4.5.3), and clears its cookie. */
  take(req: Request, res: Response, state: string): Promise<Taken>;
}

interface Sealed extends Transaction {
  readonly id: string;
  readonly bind: string;
  readonly at: number;
}

const atMost = 5;
const lifetimeMs = 3_600_000;
const none = Buffer.alloc(0);

/**
 * Makes transactions for a public origin; `consumeOnce` of the store sees to it that each is taken a
 * single time, on whichever gateway.
 */
export const createTransactions = (options: {
  seal: Seal;
  consumeOnce: Store['consumeOnce'];
  origin: string;
  now?: () => number;
}): Transactions => {
  const { seal, consumeOnce, origin, now = Date.now } = options;
  const secure = origin.startsWith('https:');
  const prefix = `${secure ? '__Host-' : ''}my_account_login_`;
  // Lax, since the browser comes back from another site; strict would lose the cookie on the way.
  const attributes = { httpOnly: true, sameSite: 'lax', secure, path: '/' } as const;
  const derive = (secret: Buffer, purpose: string, id: string): string =>
    createHmac('sha256', secret).update(`${purpose}\0${id}`).digest('base64url');

  const cookies = (req: Request): readonly SentCookie[] =>
    parseCookies(req.headers.cookie).filter(
      ({ name, value }) => name.startsWith(prefix) && /^[0-9a-z]+\.[\w-]{32}$/.test(value),
    );
  const opened = (state: string): Sealed | undefined => {
    const plain = seal.unseal(Buffer.from(state, 'base64url'), none);
    return plain && (JSON.parse(plain.toString()) as Sealed);
  };
  const startedAt = (value: string): number => parseInt(value, 36);

  return {
    begin(req, res, transaction) {
      const id = randomBytes(8).toString('base64url');
      const secret = randomBytes(24);
      const oldest = [...cookies(req)]
        .sort((a, b) => startedAt(b.value) - startedAt(a.value))
        .slice(atMost - 1);
      for (const { name } of oldest) res.clearCookie(name, attributes);
      res.cookie(prefix + id, `${now().toString(36)}.${secret.toString('base64url')}`, {
        ...attributes,
        maxAge: lifetimeMs,
      });
      const sealed: Sealed = { ...transaction, id, bind: derive(secret, 'bind', id), at: now() };
      return {
        state: seal.seal(Buffer.from(JSON.stringify(sealed)), none).toString('base64url'),
        nonce: derive(secret, 'nonce', id),
        verifier: derive(secret, 'verifier', id),
      };
    },
    read(state) {
      const sealed = opened(state);
      if (sealed === undefined) return undefined;
      const { id: _id, bind: _bind, at: _at, ...transaction } = sealed;
      return transaction;
    },
    async take(req, res, state) {
      const sealed = opened(state);
      if (sealed === undefined) return { kind: 'unknown' };
      const { id, bind, at, ...transaction } = sealed;
      const expected = Buffer.from(bind);
      // Of several with its name the one it was begun with counts, whatever came first.
      const secret = cookies(req)
        .filter(({ name }) => name === prefix + id)
        .map(({ value }) => Buffer.from(value.split('.')[1] ?? '', 'base64url'))
        .find((each) => {
          const given = Buffer.from(derive(each, 'bind', id));
          return given.length === expected.length && timingSafeEqual(given, expected);
        });
      if (now() - at > lifetimeMs) return { kind: 'expired', transaction };
      if (secret === undefined) return { kind: 'foreign', transaction };
      if (!(await consumeOnce(`transaction:${id}`, 2 * lifetimeMs)))
        return { kind: 'used', transaction };
      res.clearCookie(prefix + id, attributes);
      return {
        kind: 'good',
        transaction,
        nonce: derive(secret, 'nonce', id),
        verifier: derive(secret, 'verifier', id),
      };
    },
  };
};
