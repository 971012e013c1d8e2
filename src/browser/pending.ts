import type { Args, OperationName } from './api.ts';
import { resumable } from './operations.ts';

/** The part of `Storage` that is used; `sessionStorage` in a browser. */
export interface KeyValueStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** What the user asked for before they were sent away to confirm who they are. */
export type Action = {
  [Name in OperationName]: { operation: Name; args: Args<Name> };
}[OperationName];

const key = 'my-account-bff.pending';
/**
 * Query parameter on the way back: only the return from the step-up does the action, never a reload
 * or the back button.
 */
export const marker = 'resume';
/** Older than this the user has forgotten it: ten minutes, in milliseconds. */
const keptFor = 600_000;

const parse = (
  stored: string | null,
): { id: string; at: number; user: string | null; action: Action } | undefined => {
  try {
    // Written by this file into the same origin's storage; whoever could change it could as well
    // call the API.
    return stored === null
      ? undefined
      : (JSON.parse(stored) as { id: string; at: number; user: string | null; action: Action });
  } catch {
    return undefined;
  }
};

/**
 * Keeps at most one action over a step-up, in the tab alone. It can be taken once, only with the
 * marker it was kept under and by the user who asked for it. Actions that carry a secret are not
 * kept: `keep` then answers undefined.
 */
export function createPending(storage: KeyValueStore, now: () => number) {
  const forget = (): void => {
    storage.removeItem(key);
  };
  return {
    keep(action: Action, user: string | undefined): string | undefined {
      forget();
      if (!resumable.has(action.operation)) return undefined;
      const id = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
        byte.toString(16).padStart(2, '0'),
      ).join('');
      storage.setItem(key, JSON.stringify({ id, at: now(), user: user ?? null, action }));
      return id;
    },
    take(id: string | null, user: string | undefined): Action | undefined {
      const kept = parse(storage.getItem(key));
      forget();
      if (
        !kept ||
        kept.id !== id ||
        now() - kept.at > keptFor ||
        !resumable.has(kept.action.operation)
      )
        return undefined;
      return kept.user === (user ?? null) ? kept.action : undefined;
    },
    forget,
  };
}
