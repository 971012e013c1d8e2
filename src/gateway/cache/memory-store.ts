import { retainMs, writeLastsMs } from './store.ts';
import type { CacheEntry, CacheStore } from './store.ts';

interface Namespace {
  epoch: number;
  under: number;
  underUntil: number;
  endsAt: number;
  readonly answers: Map<string, CacheEntry & { readonly epoch: number }>;
}

const mostNamespaces = 20_000;
const mostNames = 64;

/** Caches answers in this process, for one gateway without Redis: the same promises as in Redis. The clock can be handed in. */
export const createMemoryCache = (now: () => number = Date.now): CacheStore => {
  const namespaces = new Map<string, Namespace>();

  const find = (key: string): Namespace | undefined => {
    const namespace = namespaces.get(key);
    if (namespace === undefined || namespace.endsAt > now()) return namespace;
    namespaces.delete(key);
    return undefined;
  };
  const enter = (key: string): Namespace => {
    const namespace = find(key) ?? {
      epoch: 0,
      under: 0,
      underUntil: 0,
      endsAt: 0,
      answers: new Map(),
    };
    if (namespace.epoch === 0) namespace.epoch = Math.floor(now());
    namespace.endsAt = now() + retainMs;
    // Last used goes last: when there are too many namespaces the one unused for longest makes way.
    namespaces.delete(key);
    namespaces.set(key, namespace);
    const [oldest] = namespaces.keys();
    if (namespaces.size > mostNamespaces && oldest !== undefined) namespaces.delete(oldest);
    return namespace;
  };
  const current = (namespace: Namespace | undefined, name: string): CacheEntry | undefined => {
    const kept = namespace?.answers.get(name);
    return kept?.epoch === namespace?.epoch ? kept : undefined;
  };

  return {
    get(key, name) {
      const namespace = find(key);
      return Promise.resolve({
        epoch: namespace?.epoch ?? 0,
        now: now(),
        entry: current(namespace, name),
      });
    },
    names: (key, prefix) =>
      Promise.resolve(
        new Set([...(find(key)?.answers.keys() ?? [])].filter((name) => name.startsWith(prefix))),
      ),
    put(key, name, epoch, sealed) {
      const known = find(key);
      if ((known?.epoch ?? 0) !== epoch)
        return Promise.resolve({ kind: 'moved', now: now(), entry: current(known, name) });
      if (known !== undefined && known.under > 0 && now() < known.underUntil)
        return Promise.resolve({ kind: 'open', now: now(), entry: undefined });
      const namespace = enter(key);
      if (namespace.answers.size > mostNames) namespace.answers.clear();
      namespace.answers.set(name, { epoch: namespace.epoch, storedAt: now(), sealed });
      return Promise.resolve({ kind: 'put', now: now(), entry: undefined });
    },
    beginWrite(key, prefix) {
      const namespace = enter(key);
      const answers = new Map<string, Buffer>();
      for (const [field, kept] of namespace.answers)
        if (field.startsWith(prefix) && kept.epoch === namespace.epoch)
          answers.set(field, kept.sealed);
      namespace.under = now() < namespace.underUntil ? namespace.under + 1 : 1;
      namespace.underUntil = now() + writeLastsMs;
      namespace.epoch++;
      return Promise.resolve({ epoch: namespace.epoch, answers });
    },
    endWrite(key, { epoch, how, answers }) {
      const namespace = enter(key);
      const alone = namespace.epoch === epoch;
      namespace.under = Math.max(0, namespace.under - 1);
      namespace.epoch++;
      for (const [field, kept] of namespace.answers) {
        const sealed =
          how === 'untouched' ? kept.sealed : how === 'applied' ? answers.get(field) : undefined;
        const storedAt = how === 'applied' ? now() : kept.storedAt;
        if (alone && kept.epoch === epoch - 1 && sealed !== undefined)
          namespace.answers.set(field, { storedAt, epoch: namespace.epoch, sealed });
        else namespace.answers.delete(field);
      }
      return Promise.resolve();
    },
  };
};
