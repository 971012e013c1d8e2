import { hash } from 'node:crypto';
import type { Seal } from '../session/seal.ts';

/** A response of the API as it is cached: what was asked for, and the JSON that came. */
export interface CachedAnswer {
  readonly url: string;
  readonly type: string;
  readonly body: Buffer;
  /** When the API was asked for it, in milliseconds of the store's clock; own writes that it followed do not make it younger. */
  readonly askedAt: number;
  /**
   * The method whose enrolment began since: whether the list shows it already only the API can
   * tell, so until it is confirmed this is no answer.
   */
  readonly awaits?: string;
}

/** The entries of one session for one part of the account: how they are named and sealed. */
export interface SealedEntries {
  readonly user: string;
  /** The part of the account: the first segment of the API's path. */
  readonly area: string;
  /** Where the user's entries for that part are. */
  readonly namespace: string;
  /** The names of this session's entries begin with this. */
  readonly prefix: string;
  /** Returns the name of the entry for a URL of the API. */
  nameOf(url: string): string;
  /** Returns an answer as bytes that only this session can open. */
  sealAnswer(name: string, answer: CachedAnswer): Buffer;
  /** Returns the answer, or undefined when it was sealed by another session, another secret or an earlier version. */
  unsealAnswer(name: string, sealed: Buffer): CachedAnswer | undefined;
  /** Seals any other bytes; `name` is bound to them. */
  seal(name: string, plain: Buffer): Buffer;
  unseal(name: string, sealed: Buffer): Buffer | undefined;
}

// Each part with its length: no two lists of parts give the same text.
const digest = (...parts: (string | Buffer)[]): string => {
  let text = '';
  for (const part of parts) {
    const each = typeof part === 'string' ? part : part.toString('base64url');
    text += `${each.length}:${each}`;
  }
  return hash('sha256', text, 'base64url').slice(0, 22);
};

// A session's key is one buffer for as long as its cookie is remembered: its name with it.
const names = new WeakMap<Buffer, string>();
const nameOfKey = (cacheKey: Buffer): string => {
  const known = names.get(cacheKey) ?? digest('vault', cacheKey);
  names.set(cacheKey, known);
  return known;
};

/**
 * Returns a session's entries for one request, sealed under the server's secret and the session's
 * own, so that they end with it; undefined when the session has no key for them.
 */
export function openEntries(
  seal: Seal,
  cacheKey: Buffer | undefined,
  owner: { readonly user: string; readonly area: string },
): SealedEntries | undefined {
  if (cacheKey === undefined || cacheKey.length < 32) return undefined;
  const { user, area } = owner;
  const prefix = `r:${nameOfKey(cacheKey)}:`;
  // A request asks for the same name again and again.
  let asked = { url: '', name: '' };
  const bound = (name: string): Buffer => Buffer.from(`${user} ${name}`);
  const entries: SealedEntries = {
    user,
    area,
    namespace: `${user}:${area}`,
    prefix,
    nameOf(url) {
      if (asked.url !== url) asked = { url, name: prefix + digest(url) };
      return asked.name;
    },
    seal: (name, plain) => seal.seal(plain, cacheKey, bound(name)),
    unseal: (name, sealed) => seal.unseal(sealed, cacheKey, bound(name)),
    sealAnswer(name, { url, type, body, askedAt, awaits }) {
      const head = Buffer.from(`${JSON.stringify([url, type, askedAt, awaits])}\n`);
      return entries.seal(name, Buffer.concat([head, body]));
    },
    unsealAnswer(name, sealed) {
      const plain = entries.unseal(name, sealed);
      const end = plain?.indexOf('\n') ?? -1;
      if (plain === undefined || end === -1) return undefined;
      const [url, type, askedAt, awaits] = JSON.parse(plain.toString('utf8', 0, end)) as [
        string,
        string,
        number?,
        (string | null)?,
      ];
      // Cached by a version before this one.
      if (askedAt === undefined) return undefined;
      const body = plain.subarray(end + 1);
      return { url, type, askedAt, body, ...(typeof awaits === 'string' && { awaits }) };
    },
  };
  return entries;
}

/** Returns a short name for a list of parts, injective in them. */
export const shortName = digest;
