import { packScopes, unpackScopes } from './scope-codes.ts';

/**
 * An access token and what it is good for: `aud` and `scope` as granted, not as asked; times in
 * milliseconds of the store's clock.
 */
export interface AccessToken {
  readonly audience: string;
  readonly scope: readonly string[];
  readonly value: string;
  readonly expiresAt: number;
  /** From when on it is renewed, a little before its end. */
  readonly renewAt: number;
}

/**
 * Everything a session holds; it exists in the clear in this process only, from a request with its
 * cookie until a minute after the last one.
 */
export interface SessionRecord {
  readonly sub: string;
  readonly sid?: string | undefined;
  /** Seconds, as Auth0 said it (`auth_time`), where it did. */
  readonly authTime?: number | undefined;
  readonly idToken: string;
  readonly refreshToken?: string | undefined;
  readonly tokens: readonly AccessToken[];
  /** When the user last proved a second factor here, in milliseconds of the store's clock. */
  readonly steppedUpAt?: number | undefined;
  /** Scopes that a step-up asked for and Auth0 did not grant: asking again would loop. */
  readonly denied?: readonly string[] | undefined;
  /** The private JWK that sender-constrained tokens are bound to (RFC 9449). */
  readonly dpop?: JsonWebKeyPair | undefined;
  /**
   * The vault of the session that this one followed by a step-up, so that what was kept there needs
   * no new read; base64url.
   */
  readonly vault?: string | undefined;
}

/** A P-256 private key as JWK (RFC 7517, RFC 7518 section 6.2). */
export interface JsonWebKeyPair {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly d: string;
}

const jwtPart = /^[\w-]+$/;

// A JWT is base64url three times over: decoded, it is a quarter smaller. Anything that would not
// come back byte for byte stays text.
const packToken = (value: string): Buffer => {
  const parts = value.split('.');
  const decoded = parts.map((part) => Buffer.from(part, 'base64url'));
  const exact =
    parts.length === 3 &&
    parts.every((part, i) => jwtPart.test(part) && decoded[i]?.toString('base64url') === part);
  const pieces = exact ? decoded : [Buffer.from(value)];
  const head = Buffer.alloc(1 + 2 * pieces.length);
  head.writeUInt8(pieces.length, 0);
  pieces.forEach((piece, i) => head.writeUInt16BE(piece.length, 1 + 2 * i));
  return Buffer.concat([head, ...pieces]);
};

/** Reads a packed token: its text, and where it ends. */
const unpackToken = (bytes: Buffer, start: number): { end: number; value: string } => {
  const count = bytes.readUInt8(start);
  let end = start + 1 + 2 * count;
  const parts: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const from = end;
    end += bytes.readUInt16BE(start + 1 + 2 * i);
    parts.push(bytes.toString(count === 1 ? 'utf8' : 'base64url', from, end));
  }
  return { end, value: parts.join('.') };
};

type Facts = [
  sub: string,
  sid: string | null,
  authTime: number | null,
  steppedUpAt: number | null,
  denied: readonly string[] | null,
  dpop: JsonWebKeyPair | null,
  refresh: 0 | 1,
  tokens: [audience: string, scope: string, expiresAt: number, renewAt: number][],
  vault?: string,
];

/** Writes a record as compact bytes: facts as JSON, tokens decoded from base64url. */
export const encodeRecord = (record: SessionRecord): Buffer => {
  const facts: Facts = [
    record.sub,
    record.sid ?? null,
    record.authTime ?? null,
    record.steppedUpAt ?? null,
    record.denied ?? null,
    record.dpop ?? null,
    record.refreshToken === undefined ? 0 : 1,
    record.tokens.map(({ audience, scope, expiresAt, renewAt }) => [
      audience,
      packScopes(scope),
      expiresAt,
      renewAt,
    ]),
  ];
  if (record.vault !== undefined) facts.push(record.vault);
  const json = Buffer.from(JSON.stringify(facts));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(json.length);
  const values = [
    record.idToken,
    ...(record.refreshToken === undefined ? [] : [record.refreshToken]),
    ...record.tokens.map(({ value }) => value),
  ];
  return Buffer.concat([length, json, ...values.map(packToken)]);
};

/**
 * Reads what encodeRecord wrote; the bytes come out of an authenticated seal, so their form is
 * trusted.
 */
export const decodeRecord = (bytes: Buffer): SessionRecord => {
  let at = 2 + bytes.readUInt16BE(0);
  const facts = JSON.parse(bytes.toString('utf8', 2, at)) as Facts;
  const next = (): string => {
    const { end, value } = unpackToken(bytes, at);
    at = end;
    return value;
  };
  const [sub, sid, authTime, steppedUpAt, denied, dpop, refresh, tokens, vault] = facts;
  return {
    sub,
    sid: sid ?? undefined,
    authTime: authTime ?? undefined,
    // In the order in which they were written.
    idToken: next(),
    refreshToken: refresh === 1 ? next() : undefined,
    tokens: tokens.map(([audience, scope, expiresAt, renewAt]) => ({
      audience,
      scope: unpackScopes(scope),
      value: next(),
      expiresAt,
      renewAt,
    })),
    steppedUpAt: steppedUpAt ?? undefined,
    denied: denied ?? undefined,
    dpop: dpop ?? undefined,
    vault,
  };
};
