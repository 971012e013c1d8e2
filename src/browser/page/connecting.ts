import type { ConnectedAccount } from '../index.ts';

/** What is kept in this tab while its user is at a provider. */
export interface Connecting {
  connection: string;
  user: string;
  /** The accounts that were connected before. */
  before: string[];
}

const key = 'my-account-bff.connecting';
/** Query parameter on the way back: a reload or the back button says nothing of a connection. */
const parameter = 'connected';

/** Keeps what is about to be connected; returns the address to come back to. */
export function keepConnecting(connecting: Connecting): string {
  sessionStorage.setItem(key, JSON.stringify(connecting));
  const back = new URL(location.href);
  back.searchParams.set(parameter, connecting.connection);
  return back.href;
}

/**
 * Returns what this user went to connect, once, when this page load is the return from there; the
 * parameter goes from the address bar.
 */
export function takeConnecting(user: string): Connecting | undefined {
  const url = new URL(location.href);
  const named = url.searchParams.get(parameter);
  const kept = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  if (named === null) return undefined;
  url.searchParams.delete(parameter);
  history.replaceState(history.state, '', url);
  // Written by this file into this origin's own storage.
  const connecting = kept === null ? undefined : (JSON.parse(kept) as Connecting);
  return connecting?.connection === named && connecting.user === user ? connecting : undefined;
}

/** Whether it came to be, by the accounts that are connected now. */
export function outcomeOf(
  { connection, before }: Connecting,
  accounts: ConnectedAccount[],
): { kind: 'connected' | 'already'; account: ConnectedAccount } | { kind: 'not' } {
  const named = accounts.filter((account) => account.connection === connection);
  const added = named.find(({ id }) => !before.includes(id));
  if (added !== undefined) return { kind: 'connected', account: added };
  return named[0] === undefined ? { kind: 'not' } : { kind: 'already', account: named[0] };
}
