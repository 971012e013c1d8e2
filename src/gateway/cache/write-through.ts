import type { CachedAnswer } from './sealed-entry.ts';

/** A change that went through: the operation's name, and the `{id}` of its path. */
export interface AppliedChange {
  readonly operation: string;
  readonly id: string | undefined;
}

const listPath = '/me/v1/authentication-methods';
const profilePath = '/me/v1/profile';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parse(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

// There is one of each, and a new one takes the place of the old: what becomes of that in the list only the API can tell.
const oneOfAKind = new Set(['password', 'recovery-code']);

function listOf({
  body,
}: CachedAnswer):
  { list: Record<string, unknown>; methods: Record<string, unknown>[] } | undefined {
  const list = parse(body);
  const methods = list?.['authentication_methods'];
  return list !== undefined && Array.isArray(methods) && methods.every(isObject)
    ? { list, methods }
    : undefined;
}

/** The list set aside while an enrolment is under way; not with an unfinished one in it, which the new one may have replaced. */
const setAside = (answer: CachedAnswer, id: string): CachedAnswer | undefined => {
  const methods = listOf(answer)?.methods;
  return methods === undefined || methods.some((each) => each['confirmed'] === false)
    ? undefined
    : { ...answer, awaits: id };
};

function changedList(
  before: CachedAnswer,
  id: string,
  method: Record<string, unknown> | undefined,
  added: boolean,
): CachedAnswer | undefined {
  const { awaits, ...answer } = before;
  // Only its own confirmation says what became of an enrolment.
  if (awaits !== undefined && (!added || awaits !== id)) return undefined;
  const known = listOf(answer);
  if (known === undefined) return undefined;
  const { list, methods } = known;
  const at = methods.findIndex((each) => each['id'] === id);
  const filter = new URLSearchParams(answer.url.slice(listPath.length + 1)).get('type');
  const belongs = method !== undefined && (filter === null || filter === method['type']);
  if (method !== undefined && at === -1 && !added && belongs) return undefined;
  if (at === -1 && added && belongs && oneOfAKind.has(String(method['type']))) return undefined;
  const without = methods.filter((_each, i) => i !== at);
  const next = belongs ? without.toSpliced(at === -1 ? without.length : at, 0, method) : without;
  return {
    ...answer,
    body: Buffer.from(JSON.stringify({ ...list, authentication_methods: next })),
  };
}

/** A change of the profile answers the whole of it; what belongs in a part (`fields`) only the API can tell. */
function changedProfile(
  confirmed: Buffer,
  cached: ReadonlyMap<string, CachedAnswer>,
): Map<string, CachedAnswer> {
  const after = new Map<string, CachedAnswer>();
  if (typeof parse(confirmed)?.['user_id'] !== 'string') return after;
  for (const [key, answer] of cached)
    if (answer.url === profilePath) after.set(key, { ...answer, body: confirmed });
  return after;
}

/**
 * Returns what the cached answers of authentication methods are after a write that the API confirmed: verify and rename answer the method as it is now,
 * delete removes it; a list from before an enrolment began is set aside until that is confirmed. Of a changed profile the whole is kept. Answers that cannot be told are left out, and
 * every other write leaves out all.
 */
export function writeThrough(
  change: AppliedChange,
  confirmed: Buffer,
  cached: ReadonlyMap<string, CachedAnswer>,
): Map<string, CachedAnswer> {
  const { operation: name } = change;
  if (name === 'updateProfile') return changedProfile(confirmed, cached);
  const begun = name === 'createAuthenticationMethod';
  const added = name === 'confirmAuthenticationMethod';
  const removed = name === 'deleteAuthenticationMethod';
  const after = new Map<string, CachedAnswer>();
  if (!begun && !added && !removed && name !== 'updateAuthenticationMethod') return after;
  const method = removed ? undefined : parse(confirmed);
  const id = removed ? change.id : method?.['id'];
  if (typeof id !== 'string' || (!begun && !removed && typeof method?.['type'] !== 'string'))
    return after;
  for (const [key, answer] of cached) {
    const [path = ''] = answer.url.split('?');
    if (path !== listPath) continue;
    const changed = !begun
      ? changedList(answer, id, method, added)
      : answer.awaits === undefined
        ? setAside(answer, id)
        : undefined;
    if (changed !== undefined) after.set(key, changed);
  }
  return after;
}
