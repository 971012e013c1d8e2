import { expect, test } from '@jest/globals';
import { createEntries } from '../../../../src/gateway/session/session.ts';
import { createMemoryStore } from '../../../../src/gateway/session/memory-store.ts';
import type { SessionRecord } from '../../../../src/gateway/session/record.ts';
import { createSeal } from '../../../../src/gateway/session/seal.ts';

const store = createMemoryStore();
const entries = createEntries(store, createSeal(['s'.repeat(32)], 'session'), 'https://t.example/');
const [own, others] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const record = (idToken: string): SessionRecord => ({ sub: 'auth0|1', idToken, tokens: [] });
const head = { generation: 1, endsAt: 2_000, createdAt: 1_000 };

test('an entry that was opened is given again only to the one who opened it, and only byte for byte as it was', () => {
  const entry = entries.seal(own, head, record('a token'));
  expect(entries.unseal(own, entry)?.idToken).toBe('a token');
  expect(entries.unseal(own, { ...entry, sealed: Buffer.from(entry.sealed) })?.idToken).toBe(
    'a token',
  );
  expect(entries.unseal(others, entry)).toBeUndefined();
  for (let at = 0; at < entry.sealed.length; at += 1) {
    const sealed = Buffer.from(entry.sealed);
    sealed.writeUInt8(sealed.readUInt8(at) ^ 1, at);
    expect(entries.unseal(own, { ...entry, sealed })).toBeUndefined();
  }
  for (const changed of [{ generation: 2 }, { endsAt: 2_001 }, { createdAt: 1_001 }]) {
    expect(entries.unseal(own, { ...entry, ...changed })).toBeUndefined();
  }
});

test('what was written since is what is given', () => {
  const first = entries.seal(own, head, record('first'));
  const second = entries.seal(own, { ...head, generation: 2 }, record('second'));
  expect([first, second, first].map((entry) => entries.unseal(own, entry)?.idToken)).toEqual([
    'first',
    'second',
    'first',
  ]);
});
