import type { Request } from 'express';
import { Failure } from '../http/errors.ts';
import { TruncatedResponse } from '../http/upstream-response.ts';
import type { Client } from '../my-account/client.ts';
import { upstreamHeaders } from '../my-account/headers.ts';
import { targetOf } from '../my-account/target.ts';
import type { Session } from '../session/sessions.ts';
import type { Challenge } from '../step-up/challenge.ts';

/** What the My Account API answered: its status, and the members of its body. */
export interface ConnectResponse {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * Sends one of the two steps of connecting an account as this session. Returns what the API says;
 * throws Failure like the client, with `returnTo`, where a step-up leads back to as well.
 */
export type ConnectCall = (
  req: Request,
  session: Session,
  members: Readonly<Record<string, unknown>>,
  returnTo: string,
) => Promise<ConnectResponse>;

/** What a call needs; `upstream` is the tenant's origin. */
export interface ConnectCallParts {
  readonly client: Client;
  readonly upstream: string;
  readonly challenge: Challenge<Session>;
}

const steps = {
  begin: targetOf('createConnectedAccountRequest'),
  complete: targetOf('completeConnectedAccountRequest'),
} as const;

/** The scope of both steps of connecting an account. */
export const connectScope = steps.begin.operation.scope;

// What was begun is carried through, also when the browser leaves: its code would be spent.
const never = new AbortController().signal;

/** Makes the call of a step over the one client of the API. */
export const createConnectCall = (
  step: keyof typeof steps,
  { client, upstream, challenge }: ConnectCallParts,
): ConnectCall => {
  const host = new URL(upstream).host;
  const target = steps[step];
  return async (req, session, members, returnTo) => {
    const body = Buffer.from(JSON.stringify(members));
    const { 'user-agent': agent, 'accept-language': language } = req.headers;
    const shown = { accept: 'application/json', 'user-agent': agent, 'accept-language': language };
    try {
      const { response } = await client({
        session,
        target,
        headers: upstreamHeaders(shown, { host, requestId: req.id, body }),
        body,
        stepUp: (why) => challenge({ ...why, session, scope: [target.operation.scope], returnTo }),
        signal: never,
      });
      const { status } = response;
      // What Auth0 says of itself is not said of the connection.
      if (status >= 500)
        throw new Failure('upstream_unreachable', { cause: new Error(`status ${status}`) });
      return { status, body: readObject(response.body) };
    } catch (error) {
      const failure =
        error instanceof TruncatedResponse
          ? new Failure('upstream_unreachable', { cause: error })
          : error;
      if (failure instanceof Failure) failure.members['returnTo'] ??= returnTo;
      throw failure;
    }
  };
};

const readObject = (body: Buffer): Record<string, unknown> => {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
};
