import type { Target } from './path.ts';

/** An answer of the API as it is kept: what was asked for, and the JSON that came. */
export interface Answer {
  readonly url: string;
  readonly type: string;
  readonly body: Buffer;
}

const listPath = '/me/v1/authentication-methods';

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

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

function changedList(answer: Answer, id: string, method: Record<string, unknown> | undefined, added: boolean): Answer | undefined {
  const list = parse(answer.body);
  const methods = list?.['authentication_methods'];
  if (list === undefined || !Array.isArray(methods) || !methods.every(isObject)) return undefined;
  const at = methods.findIndex((each) => each['id'] === id);
  const filter = new URLSearchParams(answer.url.slice(listPath.length + 1)).get('type');
  const belongs = method !== undefined && (filter === null || filter === method['type']);
  if (method !== undefined && at === -1 && !added && belongs) return undefined;
  if (at === -1 && added && belongs && oneOfAKind.has(String(method['type']))) return undefined;
  const without = methods.filter((_each, i) => i !== at);
  const next = belongs ? without.toSpliced(at === -1 ? without.length : at, 0, method) : without;
  return { ...answer, body: Buffer.from(JSON.stringify({ ...list, authentication_methods: next })) };
}

/**
 * What the kept answers of authentication methods are after a write that the API confirmed: verify and rename answer the method as it is now,
 * delete removes it. Answers that cannot be told are left out, and every other write leaves out all.
 */
export function writeThrough(target: Target, confirmed: Buffer, kept: ReadonlyMap<string, Answer>): Map<string, Answer> {
  const { name } = target.operation;
  const added = name === 'confirmAuthenticationMethod';
  const removed = name === 'deleteAuthenticationMethod';
  const after = new Map<string, Answer>();
  if (!added && !removed && name !== 'updateAuthenticationMethod') return after;
  const method = removed ? undefined : parse(confirmed);
  const id = removed ? target.id : method?.['id'];
  if (typeof id !== 'string' || (!removed && typeof method?.['type'] !== 'string')) return after;
  for (const [key, answer] of kept) {
    const [path = ''] = answer.url.split('?');
    if (path !== listPath) continue;
    const changed = changedList(answer, id, method, added);
    if (changed !== undefined) after.set(key, changed);
  }
  return after;
}
