import type { Answer, Args, EnrolmentOf, NewMethod, OperationName } from './api.ts';
import { createCalls, userHeader, type CallOptions } from './calls.ts';
import { createPasskeyRemovals, type PasskeyRemoved } from './passkey-removed.ts';
import { createPending, type Action, type KeyValueStore } from './pending.ts';
import { ProblemError } from './problem.ts';
import type { OwnSession, Profile, Session } from './session.ts';
import { createStepUp, type StepUpAsked, type StepUpChoice, type PageUser } from './step-up.ts';
import { createExchange } from './transport.ts';
import type { Pause, Waiting } from './wait.ts';

/**
 * The page the client lives in: its address, and ways to leave it or to change what the address bar
 * shows.
 */
export interface Environment {
  here: () => string;
  navigate: (url: string) => void;
  showUrl: (url: string) => void;
  /** Opens a window and answers when it is done; false when it could not be opened. */
  popup: (url: string) => Promise<boolean>;
  passkeyRemoved: PasskeyRemoved;
  storage: KeyValueStore;
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
 * The client over given environment: everything of `createClient` except that it knows no browser.
 */
export function createClientIn(environment: Environment, options: ClientOptions = {}) {
  const { baseUrl = '/api/me', authUrl = '/auth', waitAtMost = 60, onWait } = options;
  const { here, navigate, now } = environment;
  const exchange = createExchange(environment.fetch, now);
  const pending = createPending(environment.storage, now);
  const stepUp = createStepUp({ ...environment, pending, authUrl, ask: options.onStepUp });
  const absolute = (path: string): string => new URL(path, here()).href;
  let shown: PageUser = {};

  const { callWithRetry, call: callAs } = createCalls({
    exchange,
    address: (path) => absolute(baseUrl + path),
    here,
    removals: createPasskeyRemovals(environment.passkeyRemoved),
    pause: environment.pause,
    stepUp,
    waitAtMost,
    onWait,
  });
  const call = async <Name extends OperationName>(
    operation: Name,
    args: Args<Name>,
    asked: CallOptions = {},
  ): Promise<Answer<Name>> => callAs(operation, args, asked, shown);

  const auth = async (
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    as: PageUser = shown,
  ): Promise<unknown> => {
    const response = await exchange(absolute(authUrl + path), { method, headers: userHeader(as) });
    return response.status === 204 ? undefined : response.json();
  };

  /** The session, or undefined when nobody is signed in. */
  const toSession = async (answer: Promise<unknown>): Promise<Session | undefined> => {
    const session = await answer.catch((error: unknown) => {
      if (error instanceof ProblemError && error.status === 401) return { authenticated: false };
      throw error;
    });
    const told = session as Session | { authenticated: false };
    shown = told.authenticated ? { sub: told.user.sub, handle: told.userHandle } : {};
    return told.authenticated ? told : undefined;
  };

  return {
    factors: {
      list: (options?: CallOptions) => call('factors.list', [], options),
    },
    authenticationMethods: {
      list: (filter?: Args<'authenticationMethods.list'>[0], options?: CallOptions) =>
        call('authenticationMethods.list', [filter], options),
      /** Answers what Auth0 promises of this kind: for `totp` a `barcode_uri`, and so on. */
      create: <Type extends NewMethod['type']>(
        body: NewMethod & { type: Type },
        options?: CallOptions,
      ) => call('authenticationMethods.create', [body], options) as Promise<EnrolmentOf<Type>>,
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
    session: () => toSession(auth('GET', '/session', {})),
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
          shown.handle,
        ),
      );
    },
    /** Forgets what is pending here and leaves for the end of the session. */
    logout(): void {
      pending.forget();
      const url = new URL(absolute(`${authUrl}/logout`));
      if (shown.handle !== undefined) url.searchParams.set('user', shown.handle);
      navigate(url.href);
    },
    /**
     * Does, once, what the user asked for before the step-up; call it when the page opens, after
     * `session()`. Undefined when this is no return from a step-up. If the gateway asks for a
     * step-up again the user is not sent away a second time: that comes back as the problem.
     */
    async resume(options: CallOptions = {}): Promise<Resumed | undefined> {
      const action = stepUp.back(shown.sub);
      if (!action) return undefined;
      const { operation, args } = action;
      try {
        return {
          operation,
          args,
          answer: await callWithRetry(operation, args, options, shown),
        } as Resumed;
      } catch (error) {
        if (error instanceof ProblemError) return { ...action, problem: error };
        throw error;
      }
    },
  };
}

/** The account, as a page works with it. */
export type Client = ReturnType<typeof createClientIn>;
