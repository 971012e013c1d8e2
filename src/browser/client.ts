import type { Answer, Args, OperationName } from './api.ts';
import { operations, scopesAround } from './operations.ts';
import { createPending, type Action, type Shelf } from './pending.ts';
import { ProblemError } from './problem.ts';
import type { OwnSession, Profile, Session } from './session.ts';
import { createStepUp, type StepUpAsked, type StepUpChoice } from './step-up.ts';
import { createExchange } from './transport.ts';
import { countDown, mayRepeatAfter, type Pause, type Waiting } from './wait.ts';

/**
 * The page the client lives in: its address, and ways to leave it or to change what the address bar
 * shows.
 */
export interface Surroundings {
  here: () => string;
  navigate: (url: string) => void;
  showUrl: (url: string) => void;
  /** Opens a window and answers when it is done; false when it could not be opened. */
  popup: (url: string) => Promise<boolean>;
  shelf: Shelf;
  fetch: typeof fetch;
  pause: Pause;
  now: () => number;
}

/**
 * How a client reaches the gateway and what it does by itself on the way; everything has a default.
 */
export interface ClientOptions {
  /** Where the gateway offers the My Account API; default `/api/me`. */
  baseUrl?: string;
  /** Where its sign-in routes are; default `/auth`. */
  authUrl?: string;
  /**
   * Asked before a step-up: true leaves the page, `'popup'` opens a window in its place, false
   * stays. Default: leaves at once.
   */
  onStepUp?: (asked: StepUpAsked) => StepUpChoice | Promise<StepUpChoice>;
  /** Told each second while a call waits for its turn. */
  onWait?: (waiting: Waiting) => void;
  /** The longest a call waits for its turn, in seconds, all its waits together; default 60. */
  waitAtMost?: number;
}

/** What may be said with a single call. */
export interface CallOptions {
  signal?: AbortSignal;
  /** For this call, in place of the client's `waitAtMost`. */
  waitAtMost?: number;
  /** Asks for an answer that is not kept from before, where the budget has room. */
  fresh?: boolean;
}

/** An action done after a step-up: with its answer, or with the problem it met. */
export type Resumed =
  | {
      [Name in OperationName]: {
        operation: Name;
        args: Args<Name>;
        answer: Answer<Name>;
        problem?: undefined;
      };
    }[OperationName]
  | (Action & { problem: ProblemError; answer?: undefined });

/**
 * The client over given surroundings: everything of `createClient` except that it knows no browser.
 */
export function createClientIn(surroundings: Surroundings, options: ClientOptions = {}) {
  const { baseUrl = '/api/me', authUrl = '/auth', waitAtMost = 60, onWait } = options;
  const { here, navigate, now } = surroundings;
  const exchange = createExchange(surroundings.fetch, now);
  const pending = createPending(surroundings.shelf, now);
  const stepUp = createStepUp({ ...surroundings, pending, authUrl, ask: options.onStepUp });
  const absolute = (path: string): string => new URL(path, here()).href;
  let user: string | undefined;

  async function send<Name extends OperationName>(
    operation: Name,
    args: Args<Name>,
    { signal, fresh }: CallOptions,
  ): Promise<Answer<Name>> {
    const { path, ...call } = operations[operation](...args);
    const scope = scopesAround({ path, ...call });
    const headers = {
      ...(fresh === true && { 'cache-control': 'no-cache' }),
      ...(scope !== undefined && { 'auth0-scope': scope }),
    };
    const response = await exchange(absolute(baseUrl + path), { ...call, headers, signal });
    const answer: unknown = response.status === 204 ? undefined : await response.json();
    if (operation !== 'authenticationMethods.create') return answer as Answer<Name>;
    const location = response.headers.get('location')?.split('/').at(-1);
    return {
      ...(location === undefined ? {} : { id: decodeURIComponent(location) }),
      ...(answer as object),
    } as Answer<Name>;
  }

  /** Sends, and while the answer is "not yet" waits and sends again, as long as that may be. */
  async function inTurn<Name extends OperationName>(
    operation: Name,
    args: Args<Name>,
    call: CallOptions,
  ): Promise<Answer<Name>> {
    const reads = operations[operation](...args).method === 'GET';
    for (let patience = call.waitAtMost ?? waitAtMost; ;) {
      try {
        return await send(operation, args, call);
      } catch (error) {
        const seconds = error instanceof ProblemError ? mayRepeatAfter(error, reads) : undefined;
        if (!(error instanceof ProblemError) || seconds === undefined || seconds > patience)
          throw error;
        patience -= seconds;
        const tick = (secondsLeft: number): void =>
          onWait?.({ operation, secondsLeft, code: error.code });
        await countDown(seconds, tick, surroundings.pause, call.signal);
      }
    }
  }

  async function call<Name extends OperationName>(
    operation: Name,
    args: Args<Name>,
    options: CallOptions = {},
  ): Promise<Answer<Name>> {
    try {
      return await inTurn(operation, args, options);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'step_up_required') throw error;
      await stepUp.go({ operation, args } as Action, user, error);
      return inTurn(operation, args, options);
    }
  }

  const auth = async (method: 'GET' | 'POST' | 'DELETE', path: string): Promise<unknown> => {
    const response = await exchange(absolute(authUrl + path), { method });
    return response.status === 204 ? undefined : response.json();
  };

  /** The session, or undefined when nobody is signed in. */
  const toSession = async (answer: Promise<unknown>): Promise<Session | undefined> => {
    const session = await answer.catch((error: unknown) => {
      if (error instanceof ProblemError && error.status === 401) return { authenticated: false };
      throw error;
    });
    const { authenticated } = session as Session | { authenticated: false };
    user = authenticated ? (session as Session).user.sub : undefined;
    return authenticated ? (session as Session) : undefined;
  };

  return {
    factors: {
      list: (options?: CallOptions) => call('factors.list', [], options),
    },
    authenticationMethods: {
      list: (filter?: Args<'authenticationMethods.list'>[0], options?: CallOptions) =>
        call('authenticationMethods.list', [filter], options),
      create: (body: Args<'authenticationMethods.create'>[0], options?: CallOptions) =>
        call('authenticationMethods.create', [body], options),
      get: (id: string, options?: CallOptions) => call('authenticationMethods.get', [id], options),
      update: (id: string, body: Args<'authenticationMethods.update'>[1], options?: CallOptions) =>
        call('authenticationMethods.update', [id, body], options),
      delete: (id: string, options?: CallOptions) =>
        call('authenticationMethods.delete', [id], options),
      verify: (id: string, body: Args<'authenticationMethods.verify'>[1], options?: CallOptions) =>
        call('authenticationMethods.verify', [id, body], options),
    },
    connectedAccounts: {
      connect: (body: Args<'connectedAccounts.connect'>[0], options?: CallOptions) =>
        call('connectedAccounts.connect', [body], options),
      complete: (body: Args<'connectedAccounts.complete'>[0], options?: CallOptions) =>
        call('connectedAccounts.complete', [body], options),
      list: (page?: Args<'connectedAccounts.list'>[0], options?: CallOptions) =>
        call('connectedAccounts.list', [page], options),
      connections: (page?: Args<'connectedAccounts.connections'>[0], options?: CallOptions) =>
        call('connectedAccounts.connections', [page], options),
      delete: (id: string, options?: CallOptions) =>
        call('connectedAccounts.delete', [id], options),
    },
    /**
     * The user's profile at Auth0 (beta): a ProblemError of status 404 where the tenant has not
     * enabled it.
     */
    accountProfile: {
      get: (part?: Args<'accountProfile.get'>[0], options?: CallOptions) =>
        call('accountProfile.get', [part], options),
      update: (body: Args<'accountProfile.update'>[0], options?: CallOptions) =>
        call('accountProfile.update', [body], options),
    },
    /** Who is signed in and for how long, or undefined. Never makes the session last longer. */
    session: () => toSession(auth('GET', '/session')),
    /** "Stay signed in": starts the idle time again, and answers the session. */
    staySignedIn: () => toSession(auth('POST', '/session')),
    /** The user's ID-token claims; a ProblemError of status 401 when nobody is signed in. */
    profile: async () => (await auth('GET', '/profile')) as Profile,
    sessions: {
      /** The user's own sessions, this one marked. */
      list: async () => (await auth('GET', '/sessions')) as { sessions: OwnSession[] },
      end: async (id: string) => {
        await auth('DELETE', `/sessions/${encodeURIComponent(id)}`);
      },
      endOthers: async () => {
        await auth('DELETE', '/sessions');
      },
    },
    /**
     * Leaves for the sign-in page; the user comes back to `returnTo`, a path of this origin, by
     * default this page.
     */
    login(returnTo?: string): void {
      navigate(stepUp.withReturn(`${authUrl}/login`, returnTo ?? here()));
    },
    /**
     * Leaves for the provider of an account to be connected; the user comes back to `returnTo`, by
     * default this page.
     */
    connectAccount(connection: string, returnTo?: string): void {
      navigate(
        stepUp.withReturn(
          `${authUrl}/connect?connection=${encodeURIComponent(connection)}`,
          returnTo ?? here(),
        ),
      );
    },
    /** Forgets what is pending here and leaves for the end of the session. */
    logout(): void {
      pending.forget();
      navigate(absolute(`${authUrl}/logout`));
    },
    /**
     * Does, once, what the user asked for before the step-up; call it when the page opens, after
     * `session()`. Undefined when this is no return from a step-up. If the gateway asks for a
     * step-up again the user is not sent away a second time: that comes back as the problem.
     */
    async resume(options: CallOptions = {}): Promise<Resumed | undefined> {
      const action = stepUp.back(user);
      if (!action) return undefined;
      const { operation, args } = action;
      try {
        return { operation, args, answer: await inTurn(operation, args, options) } as Resumed;
      } catch (error) {
        if (error instanceof ProblemError) return { ...action, problem: error };
        throw error;
      }
    },
  };
}

/** The account, as a page works with it. */
export type Client = ReturnType<typeof createClientIn>;
