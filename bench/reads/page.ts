import { setTimeout as sleep } from 'node:timers/promises';
import { createClientIn } from '../../src/browser/client.ts';
import type { Enrolment, Factor } from '../../src/browser/api.ts';
import { ProblemError } from '../../src/browser/problem.ts';

/** What a user met at the page. */
export interface Met {
  /** Answers 429 or 503 that reached the page's script. */
  refusals: number;
  /** Seconds the page counted down to the user, all together. */
  waitedSeconds: number;
  /** Failures that the page had to show. */
  readonly failures: string[];
}

/** How the page reaches its gateway: a script's call, and leaving the page for an address and coming back to another. */
export interface Surface {
  readonly origin: string;
  call(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string | undefined,
  ): Promise<Response>;
  leave(url: string): Promise<string>;
}

/**
 * The account page in one tab, as src/browser/page/main.ts opens it (session, list of sessions, what a step-up interrupted, methods, factors), over
 * the client library itself; what is left out is only what it draws.
 */
export function openTab(surface: Surface, met: Met, over: AbortSignal) {
  const kept = new Map<string, string>();
  let factors: readonly Factor[] | undefined;
  let here = `${surface.origin}/`;
  let left: Promise<string> | undefined;
  let tellLeft: (() => void) | undefined;

  const client = () =>
    createClientIn(
      {
        here: () => here,
        showUrl: (url) => (here = url),
        navigate(url) {
          left = surface.leave(url);
          tellLeft?.();
        },
        passkeyRemoved: () => undefined,
        popup: () => Promise.resolve(false),
        storage: {
          getItem: (key) => kept.get(key) ?? null,
          setItem: (key, value) => void kept.set(key, value),
          removeItem: (key) => void kept.delete(key),
        },
        async fetch(input, init = {}) {
          const { pathname, search } = new URL(input instanceof Request ? input.url : input);
          const answer = await surface.call(
            init.method ?? 'GET',
            pathname + search,
            init.headers as Record<string, string>,
            init.body as string | undefined,
          );
          if (answer.status === 429 || answer.status === 503) met.refusals += 1;
          return answer;
        },
        pause: (ms) => sleep(ms, undefined, { signal: over }),
        now: () => Date.now(),
      },
      { onWait: ({ secondsLeft }) => (met.waitedSeconds += secondsLeft > 0 ? 1 : 0) },
    );
  let page = client();

  /** Does something the user asked for; a failure is what the page would show. Undefined then. */
  const attempt = async <T>(what: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      over.throwIfAborted();
      met.failures.push(
        `${what}: ${error instanceof ProblemError ? `${error.status} ${error.code}` : String(error)}`,
      );
      return undefined;
    }
  };
  /** The same for what the page does not wait for: broken off, nobody is told. */
  const aside = (what: string, work: Promise<unknown>): void =>
    void attempt(what, work).catch(() => undefined);
  const names = (methods: readonly { id: string; name?: string }[]): string[] =>
    methods.map(({ id, name }) => `${id} ${name ?? ''}`.trim());

  const look = async (): Promise<string[] | undefined> => {
    const answer = await attempt('list', page.authenticationMethods.list());
    factors ??= (await attempt('factors', page.factors.list()))?.factors;
    return answer && names(answer.authentication_methods);
  };

  return {
    attempt,
    client: () => page,
    /** Opens the page or loads it again; answers the list as shown. */
    async open(): Promise<string[] | undefined> {
      page = client();
      await attempt('session', page.session());
      aside('sessions', page.sessions.list());
      return look();
    },
    /** Begins an enrolment; sent away to confirm who they are, the user comes back to a page that goes on with it. */
    async begin(): Promise<Enrolment | undefined> {
      const away = new Promise<undefined>((resolve) => {
        tellLeft = () => {
          resolve(undefined);
        };
      });
      const begun = await attempt(
        'create',
        Promise.race([page.authenticationMethods.create({ type: 'totp' }), away]),
      );
      if (left === undefined) return begun;
      here = await left;
      left = undefined;
      page = client();
      await attempt('session', page.session());
      aside('sessions', page.sessions.list());
      const resumed = await attempt('create', page.resume());
      if (resumed?.problem !== undefined)
        met.failures.push(`create: ${resumed.problem.status} ${resumed.problem.code}`);
      return resumed?.answer as Enrolment | undefined;
    },
    /** What a page opened by a step-up shows once the enrolment is done. */
    look,
  };
}
