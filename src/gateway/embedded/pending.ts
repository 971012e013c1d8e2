import type { Request, Response } from 'express';
import { Failure } from '../http/errors.ts';
import type { Pending, PendingEntry } from '../session/pending.ts';
import type { JsonWebKeyPair } from '../session/record.ts';

/**
 * What a sign-in without a redirect has to remember between two calls, and the browser must never
 * see.
 */
export type PendingSignIn =
  | { readonly kind: 'passkey'; readonly authSession: string }
  | {
      readonly kind: 'mfa';
      readonly mfaToken: string;
      /** Whose attempts are counted. */
      readonly account: string;
      /** Of the challenge under way. */
      readonly oobCode?: string | undefined;
      /** The private JWK the login's first request was made with. */
      readonly dpop?: JsonWebKeyPair | undefined;
    };

/** A pending sign-in of one kind. */
export interface PendingOf<K extends PendingSignIn['kind']> extends PendingEntry<PendingSignIn> {
  readonly value: Extract<PendingSignIn, { kind: K }>;
}

const isKind = <K extends PendingSignIn['kind']>(
  entry: PendingEntry<PendingSignIn> | undefined,
  kind: K,
): entry is PendingOf<K> => entry?.value.kind === kind;

/** Returns the request's pending sign-in of a kind, or rejects with Failure `login_expired`. */
export const findPending = async <K extends PendingSignIn['kind']>(
  pendings: Pending<PendingSignIn>,
  req: Request,
  res: Response,
  kind: K,
): Promise<PendingOf<K>> => {
  const entry = await pendings.find(req, res);
  if (!isKind(entry, kind))
    throw new Failure('login_expired', {
      detail: 'There is no such sign-in under way. Begin again.',
    });
  return entry;
};
