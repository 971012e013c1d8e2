import { hash } from 'node:crypto';
import type { Seal } from '../session/seal.ts';
import type { Caller } from './parts.ts';
import type { Target } from './path.ts';
import type { Answer } from './write-through.ts';

/** Where a session's answers are kept and how they are sealed: under the server's secret and one that only the session holds, so they end with it. */
export interface Vault {
  readonly user: string;
  /** The part of the account that the operation reads or changes: the first segment of the API's path. */
  readonly area: string;
  /** The user's room for that part. */
  readonly room: string;
  /** The names of this session's answers begin with this. */
  readonly prefix: string;
  nameOf(url: string): string;
  closeAnswer(name: string, answer: Answer): Buffer;
  openAnswer(name: string, sealed: Buffer): Answer | undefined;
  /** Seals any other bytes; `name` is bound to them. */
  close(name: string, plain: Buffer): Buffer;
  open(name: string, sealed: Buffer): Buffer | undefined;
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

// A session's secret is one buffer for as long as its cookie is remembered: its name with it.
const names = new WeakMap<Buffer, string>();
const nameOf = (secret: Buffer): string => {
  const known = names.get(secret) ?? digest('vault', secret);
  names.set(secret, known);
  return known;
};

/** Opens a session's vault for one request; undefined when the session holds no secret for it. */
export function openVault(seal: Seal, secret: Buffer | undefined, caller: Caller, target: Target): Vault | undefined {
  if (secret === undefined || secret.length < 32) return undefined;
  const own = nameOf(secret);
  const [, area = ''] = target.operation.path.split('/', 2);
  let asked: string | undefined;
  const bound = (name: string): Buffer => Buffer.from(`${caller.user} ${name}`);
  const vault: Vault = {
    user: caller.user,
    area,
    room: `${caller.user}:${area}`,
    prefix: `r:${own}:`,
    nameOf: (url) => (url === target.url ? (asked ??= `r:${own}:${digest(url)}`) : `r:${own}:${digest(url)}`),
    close: (name, plain) => seal.close(plain, secret, bound(name)),
    open: (name, sealed) => seal.open(sealed, secret, bound(name)),
    closeAnswer(name, { url, type, body, askedAt, awaits }) {
      return vault.close(name, Buffer.concat([Buffer.from(`${JSON.stringify([url, type, askedAt, awaits])}\n`), body]));
    },
    openAnswer(name, sealed) {
      const plain = vault.open(name, sealed);
      const end = plain?.indexOf('\n') ?? -1;
      if (plain === undefined || end === -1) return undefined;
      const [url, type, askedAt, awaits] = JSON.parse(plain.toString('utf8', 0, end)) as [string, string, number?, (string | null)?];
      // Kept by a version before this one.
      if (askedAt === undefined) return undefined;
      return { url, type, askedAt, body: plain.subarray(end + 1), ...(typeof awaits === 'string' && { awaits }) };
    },
  };
  return vault;
}

/** A short name for a list of parts, injective in them. */
export const shortName = digest;
