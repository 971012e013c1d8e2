import type { Answer, Call } from '../parts.ts';
import { Problem } from '../problems.ts';
import { accountPath, accountsQuery, pageQuery } from '../schemas-accounts.ts';
import { createCheck } from '../validate.ts';

interface Page {
  readonly from?: string;
  readonly take?: number;
}

const checkPage = createCheck<Page>(pageQuery);
const checkAccounts = createCheck<Page & { readonly connection?: string | readonly string[] }>(
  accountsQuery,
);
const checkPath = createCheck<{ id: string }>(accountPath);

/** GET /connected-accounts/accounts, of some connections if the query names them, page by page. */
export function listAccounts({ user, query }: Call): Answer {
  const { connection, ...page } = checkAccounts(withNumbers(query), 'query');
  const names = connection === undefined ? undefined : [connection].flat();
  const accounts = user.connectedAccounts.filter(
    (account) => names?.includes(account.connection) ?? true,
  );
  const { items, next } = pageOf(accounts, (account) => account.id, page);
  return { status: 200, body: { accounts: items, ...next } };
}

/** GET /connected-accounts/connections: what a user could connect, page by page. */
export function listConnections({ settings, query }: Call): Answer {
  const { items, next } = pageOf(
    settings.connections,
    (connection) => connection.name,
    checkPage(withNumbers(query), 'query'),
  );
  return { status: 200, body: { connections: items, ...next } };
}

/**
 * DELETE /connected-accounts/accounts/{id}: forgets the account; what the provider gave out stays
 * good there, as at Auth0.
 */
export function removeAccount({ user, path, settings }: Call): Answer {
  const { id } = checkPath(path, 'path');
  const others = user.connectedAccounts.filter((account) => account.id !== id);
  const removed = others.length < user.connectedAccounts.length;
  if (!removed && settings.switches.unknownAccountStatus === 404)
    throw new Problem('method_not_found');
  user.connectedAccounts = others;
  return { status: 204 };
}

/**
 * Query values are text; a number among them is checked as one, so that the finding speaks of the
 * number.
 */
const withNumbers = (query: Call['query']): object =>
  typeof query['take'] === 'string' && /^-?\d+$/.test(query['take'])
    ? { ...query, take: Number(query['take']) }
    : query;

/**
 * A page that starts after the item the cursor names; the cursor is opaque to clients and survives
 * additions and removals of other items.
 */
function pageOf<Item>(
  all: readonly Item[],
  keyOf: (item: Item) => string,
  { from, take = 10 }: Page,
) {
  const last = from === undefined ? undefined : Buffer.from(from, 'base64url').toString();
  const start = last === undefined ? 0 : all.findIndex((item) => keyOf(item) === last) + 1;
  if (last !== undefined && start === 0)
    throw new Problem('invalid_request', { detail: 'The cursor is not valid.' });
  const items = all.slice(start, start + take);
  const end = items.at(-1);
  const more = end !== undefined && start + take < all.length;
  return { items, next: more ? { next: Buffer.from(keyOf(end)).toString('base64url') } : {} };
}
