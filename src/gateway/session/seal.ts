import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hash,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const nonceBytes = 12;
const tagBytes = 16;
const kidBytes = 4;

/**
 * Seals with AES-256-GCM under the server's first secret together with a second one, and opens what
 * any secret of the list sealed.
 */
export interface Seal {
  /**
   * Answers kid, nonce, ciphertext and tag as one buffer; `bound` is authenticated beside it and
   * must be the same at opening.
   */
  seal(plain: Buffer, secret: Buffer, bound?: Buffer): Buffer;
  /**
   * Answers the plaintext, or undefined when the seal was made with other secrets, other bound
   * data, or was changed.
   */
  unseal(sealed: Buffer, secret: Buffer, bound?: Buffer): Buffer | undefined;
}

const none = Buffer.alloc(0);
const one = Buffer.from([0, 0, 0, 1]);

// Asked for by the kilobyte: each question to the system's generator has its price, however few
// bytes. No byte is given out twice.
const createNonces = (): (() => Buffer) => {
  let pool = none;
  let at = 0;
  return () => {
    if (at + nonceBytes > pool.length) [pool, at] = [randomBytes(nonceBytes * 256), 0];
    at += nonceBytes;
    return pool.subarray(at - nonceBytes, at);
  };
};

/**
 * Makes the seal for a list of server secrets, the newest first; `purpose` separates its keys from
 * those of every other use (RFC 5869 info).
 */
export const createSeal = (secrets: readonly string[], purpose: string): Seal => {
  const keys = secrets.map((secret) => {
    const material = Buffer.from(secret);
    const kid = createHash('sha256')
      .update('my-account-bff kid\0')
      .update(material)
      .digest()
      .subarray(0, kidBytes);
    const base = Buffer.from(hkdfSync('sha256', material, none, `my-account-bff ${purpose}`, 32));
    // A key made ready costs more than the sealing itself: it is kept for as long as somebody holds
    // the very buffer it was derived from.
    return { kid, base, ready: new WeakMap<Buffer, KeyObject>() };
  });
  const [newest] = keys;
  const nextNonce = createNonces();
  if (newest === undefined) throw new TypeError('a seal needs a secret');
  // NIST SP 800-56C section 4.1, with SHA-256 over two secrets, the first of fixed length: one
  // digest, enough for one key.
  const derive = ({ base, ready }: (typeof keys)[number], secret: Buffer): KeyObject => {
    const known = ready.get(secret);
    if (known !== undefined) return known;
    const key = createSecretKey(hash('sha256', Buffer.concat([one, base, secret]), 'buffer'));
    ready.set(secret, key);
    return key;
  };

  return {
    seal(plain, secret, bound = none) {
      const nonce = nextNonce();
      const cipher = createCipheriv('aes-256-gcm', derive(newest, secret), nonce);
      cipher.setAAD(bound);
      return Buffer.concat([
        newest.kid,
        nonce,
        cipher.update(plain),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
    },
    unseal(sealed, secret, bound = none) {
      if (sealed.length < kidBytes + nonceBytes + tagBytes) return undefined;
      const key = keys.find(({ kid }) => kid.equals(sealed.subarray(0, kidBytes)));
      if (key === undefined) return undefined;
      const body = sealed.length - tagBytes;
      const decipher = createDecipheriv(
        'aes-256-gcm',
        derive(key, secret),
        sealed.subarray(kidBytes, kidBytes + nonceBytes),
      );
      decipher.setAAD(bound);
      decipher.setAuthTag(sealed.subarray(body));
      try {
        // All of it comes out of update: the cipher is a stream. The end only checks the tag.
        const plain = decipher.update(sealed.subarray(kidBytes + nonceBytes, body));
        decipher.final();
        return plain;
      } catch {
        return undefined;
      }
    },
  };
};
