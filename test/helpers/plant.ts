import { EventEmitter } from 'node:events';

type Call = (...args: unknown[]) => unknown;
interface Planted {
  /** Every listener and timer callback of the gateway's own that has run, as `file:line`. */
  readonly reached: ReadonlySet<string>;
  /** The next run of each of these throws when it is done. */
  arm(sites: readonly string[]): void;
  /** Those that have thrown. */
  readonly threw: ReadonlySet<string>;
  /** Runs the callback of every timer that waits, as if its time had come. */
  fireTimers(): void;
}

const reached = new Set<string>();
const wrappers = new WeakMap<object, Call>();
const timers = new Map<object, Call>();
const armed = new Set<string>();
const threw = new Set<string>();
let inside = false;

// The line of the gateway that asked, where it asked itself and no library did for it.
const siteOf = (): string | undefined => {
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  const caller = frames.find(
    (line) => !/\bnode:/.test(line) && !line.includes('/helpers/plant.ts'),
  );
  return /\/(src\/gateway\/[\w/.-]+:\d+):\d+/.exec(caller ?? '')?.[1];
};

const wrapped = (callback: unknown): Call => {
  const call = callback as Call;
  const site = typeof callback === 'function' && !inside ? siteOf() : undefined;
  if (site === undefined) return call;
  const known = wrappers.get(call);
  if (known !== undefined) return known;
  const wrapper = function (this: unknown, ...args: unknown[]): unknown {
    reached.add(site);
    const result = call.apply(this, args);
    if (!armed.delete(site)) return result;
    threw.add(site);
    throw new Error(`planted at ${site}`);
  };
  wrappers.set(call, wrapper);
  return wrapper;
};

const patch = (target: object, name: string, made: (original: Call) => Call): void => {
  const original = Reflect.get(target, name) as Call;
  Reflect.set(target, name, Object.assign(made(original), original));
};
const quietly = <T>(run: () => T): T => {
  const before = inside;
  inside = true;
  try {
    return run();
  } finally {
    inside = before;
  }
};

/** Puts a wrapper around every listener and timer that the gateway registers from now on in this process. */
export const plant = (): Planted => {
  const targets = [
    [
      EventEmitter.prototype,
      ['on', 'once', 'addListener', 'prependListener'],
      ['off', 'removeListener'],
    ],
    [EventTarget.prototype, ['addEventListener'], ['removeEventListener']],
  ] as const;
  for (const [prototype, adding, removing] of targets) {
    for (const name of adding) {
      patch(prototype, name, (original) => {
        return function (this: unknown, type: unknown, callback: unknown, ...rest: unknown[]) {
          const listener = wrapped(callback);
          return quietly(() => original.call(this, type, listener, ...rest));
        };
      });
    }
    for (const name of removing) {
      patch(prototype, name, (original) => {
        return function (this: unknown, type: unknown, callback: unknown, ...rest: unknown[]) {
          return original.call(this, type, wrappers.get(callback as object) ?? callback, ...rest);
        };
      });
    }
  }
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) {
    patch(globalThis, name, (original) => (callback, ...rest) => {
      const run = wrapped(callback);
      const timer = quietly(() => original(run, ...rest)) as object;
      if (run !== callback) timers.set(timer, run);
      return timer;
    });
  }
  for (const name of ['clearTimeout', 'clearInterval']) {
    patch(globalThis, name, (original) => (timer) => {
      if (typeof timer === 'object' && timer !== null) timers.delete(timer);
      return original(timer);
    });
  }
  return {
    reached,
    threw,
    arm(sites) {
      for (const site of sites) armed.add(site);
    },
    fireTimers() {
      for (const [timer, run] of [...timers]) {
        const over = Reflect.get(timer, '_destroyed') === true;
        const again = typeof Reflect.get(timer, '_repeat') === 'number';
        if (over || !again) clearTimeout(timer as NodeJS.Timeout);
        if (!over) queueMicrotask(() => run());
      }
    },
  };
};
