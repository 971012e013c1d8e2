import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const digest = (salt: string, password: string): Buffer =>
  createHash('sha256').update(`${salt}:${password}`).digest();

/**
 * Salts and hashes a password. One round of SHA-256: these are the passwords of a tenant on a
 * developer's machine, and ten thousand users have to be made in seconds; a real user store wants
 * scrypt or argon2.
 */
export function hashPassword(password: string): string {
  const salt = randomBytes(9).toString('base64url');
  return `${salt}.${digest(salt, password).toString('base64url')}`;
}

/** Compares in constant time; a missing hash matches nothing. */
export function passwordMatches(password: string, hash: string | undefined): boolean {
  const [salt, expected] = (hash ?? '').split('.');
  if (salt === undefined || expected === undefined) return false;
  return timingSafeEqual(digest(salt, password), Buffer.from(expected, 'base64url'));
}
