import type { Answer, Args, Enrolment, OperationName } from './api.ts';
import { operations, relatedScopes } from './operations.ts';
import type { createPasskeyRemovals } from './passkey-removed.ts';
import { passkeyProblem } from './passkey.ts';
import type { Action } from './pending.ts';
import { ProblemError } from './problem.ts';
import type { createStepUp, PageUser } from './step-up.ts';
import type { Exchange } from './transport.ts';
import { countDown, retryDelay, type Pause, type Waiting } from './wait.ts';

/** What may be said with a single call. */
export interface CallOptions {
  signal?: AbortSignal;
  /** For this call, in place of the client's `waitAtMost`. */
  waitAtMost?: number;
  /** Asks for an answer that is not kept from before, where the budget has room. */
  fresh?: boolean;
}

// What answers methods as they are.
const shown: ReadonlySet<OperationName> = new Set<OperationName>([
  'authenticationMethods.list',
  'authenticationMethods.get',
  'authenticationMethods.verify',
]);

/** The header that says whose page this is. */
export const userHeader = ({ handle }: PageUser): Record<string, string> =>
  handle === undefined ? {} : { 'x-account-user': handle };

/**
 * Makes the calls of the API: each waits for its turn where it may, and steps up once. However long
 * that takes, a call stays with the user it was made for.
 */
export function createCalls(parts: {
  exchange: Exchange;
  /** The full address of a path of the API. */
  address: (path: string) => string;
  removals: ReturnType<typeof createPasskeyRemovals>;
  /** The address of the page. */
  here: () => string;
  pause: Pause;
  stepUp: ReturnType<typeof createStepUp>;
  waitAtMost: number;
  onWait: ((waiting: Waiting) => void) | undefined;
}) {
  const { exchange, address, here, removals, pause, stepUp, waitAtMost, onWait } = parts;

  async function send<Name extends OperationName>(
    operation: Name,
    args: Args<Name>,
    { signal, fresh }: CallOptions,
    as: PageUser,
  ): Promise<Answer<Name>> {
    const { path, ...call } = operations[operation](...args);
    const scope = relatedScopes({ path, ...call });
    const headers = {
      ...userHeader(as),
      ...(fresh === true && { 'cache-control': 'no-cache' }),
      ...(scope !== undefined && { 'auth0-scope': scope }),
    };
    const response = await exchange(address(path), { ...call, headers, signal });
    const answer: unknown = response.status === 204 ? undefined : await response.json();
    const [id] = args;
    if (operation === 'authenticationMethods.delete' && typeof id === 'string')
      removals.removed(id);
    else if (shown.has(operation)) removals.saw(answer as Answer<'authenticationMethods.get'>);
    if (operation !== 'authenticationMethods.create') return answer as Answer<Name>;
    const { authn_params_public_key: wanted } = answer as Partial<Enrolment>;
    const unfit = wanted && passkeyProblem(wanted.rp.id, here());
    if (unfit !== undefined) throw unfit;
    const location = response.headers.get('location')?.split('/').at(-1);
    return {
      ...(location === undefined ? {} : { id: decodeURIComponent(location) }),
      ...(answer as object),
    } as Answer<Name>;
  }

  /** Sends, and while the answer is "not yet" waits and sends again, as long as that may be. */
  async function callWithRetry<Name extends OperationName>(
    operation: Name,
    args: Args<Name>,
    call: CallOptions,
    as: PageUser,
  ): Promise<Answer<Name>> {
    const reads = operations[operation](...args).method === 'GET';
    for (let patience = call.waitAtMost ?? waitAtMost; ;) {
      try {
        return await send(operation, args, call, as);
      } catch (error) {
        const seconds = error instanceof ProblemError ? retryDelay(error, reads) : undefined;
        if (!(error instanceof ProblemError) || seconds === undefined || seconds > patience)
          throw error;
        patience -= seconds;
        const tick = (secondsLeft: number): void =>
          onWait?.({ operation, secondsLeft, code: error.code });
        await countDown(seconds, tick, pause, call.signal);
      }
    }
  }

  async function call<Name extends OperationName>(
    operation: Name,
    args: Args<Name>,
    options: CallOptions,
    as: PageUser,
  ): Promise<Answer<Name>> {
    try {
      return await callWithRetry(operation, args, options, as);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'step_up_required') throw error;
      await stepUp.go({ operation, args } as Action, as, error);
      return callWithRetry(operation, args, options, as);
    }
  }

  return { call, callWithRetry };
}
