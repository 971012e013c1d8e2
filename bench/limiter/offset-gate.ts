// A thread that is one gateway's limiter, on a machine whose clock is wrong.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { contenders, type Gate, type Numbers } from './contenders.ts';

interface Place {
  readonly name: string;
  readonly url: string;
  readonly prefix: string;
  readonly numbers: Numbers;
  readonly offsetMs: number;
}
type Asked =
  | { readonly id: number; readonly user: string }
  | { readonly told: Parameters<NonNullable<Gate['told']>> }
  | { readonly close: true };
type Said =
  | { readonly ready: true }
  | { readonly closed: true }
  | { readonly id: number; readonly admitted: boolean | undefined };

/** Opens one gateway of a contender in a thread of its own whose clock is off by so many milliseconds. */
export async function openWithClock(place: Place): Promise<Gate> {
  const worker = new Worker(new URL(import.meta.url), { workerData: place });
  const waiting = new Map<number, (admitted: boolean | undefined) => void>();
  let next = 0;
  let closed: (() => void) | undefined;
  const tell = (asked: Asked): void => {
    worker.postMessage(asked);
  };
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (said: Said) => {
      if ('ready' in said) resolve();
      else if ('closed' in said) closed?.();
      else {
        waiting.get(said.id)?.(said.admitted);
        waiting.delete(said.id);
      }
    });
  });
  return {
    admit: (user) =>
      new Promise((resolve, reject) => {
        const id = next++;
        waiting.set(id, (admitted) => {
          if (admitted === undefined) reject(new Error('the limiter failed'));
          else resolve(admitted);
        });
        tell({ id, user });
      }),
    told: (...told) => {
      tell({ told });
    },
    async close() {
      const done = new Promise<void>((resolve) => (closed = resolve));
      tell({ close: true });
      await done;
      await worker.terminate();
    },
  };
}

async function serve({ name, url, prefix, numbers, offsetMs }: Place): Promise<void> {
  const Real = Date;
  globalThis.Date = new Proxy(Real, {
    construct: (target, args: unknown[], self) =>
      Reflect.construct(target, args.length === 0 ? [Real.now() + offsetMs] : args, self) as object,
    get: (target, name) =>
      name === 'now' ? () => Real.now() + offsetMs : (Reflect.get(target, name) as unknown),
  });
  const gate = await contenders[name]?.(url, prefix, numbers);
  if (gate === undefined) throw new Error(`no contender ${name}`);
  const say = (said: Said): void => parentPort?.postMessage(said);
  parentPort?.on('message', (asked: Asked) => {
    if ('told' in asked) gate.told?.(...asked.told);
    else if ('close' in asked)
      void gate.close().then(() => {
        say({ closed: true });
      });
    else
      gate.admit(asked.user).then(
        (admitted) => {
          say({ id: asked.id, admitted });
        },
        () => {
          say({ id: asked.id, admitted: undefined });
        },
      );
  });
  say({ ready: true });
}

if (!isMainThread) await serve(workerData as Place);
