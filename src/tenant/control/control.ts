import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { sendJson } from '../http/answer.ts';
import { BodyError, readMembers } from '../http/body.ts';
import { faultSchema, type Faults } from '../http/faults.ts';
import type { AuthorizationServer } from '../server.ts';
import type { Pushes } from '../second-factor/push.ts';
import { initiators } from '../state/account-events.ts';
import { SettingsError } from '../state/settings.ts';
import type { State } from '../state/state.ts';
import type { UserRecord } from '../state/users.ts';
import { hasBody, isForeignPage, isJson, isOwnHost } from './guard.ts';
import { makeUsers, patchUser, shown } from './users.ts';

/** What the control interface works on. */
export interface ControlParts {
  state: State;
  server: AuthorizationServer;
  faults: Faults;
  pushes: Pushes;
  /** Back to how the tenant was started, demo user and all. */
  reset: () => void;
}

interface Call {
  parts: ControlParts;
  body: Record<string, unknown>;
  url: URL;
  /** The rest of the path, decoded. */
  id: string;
}

type Answer = { status?: number; body: unknown };

const whoSchema = z.strictObject({
  user_id: z.string().optional(),
  email: z.string().optional(),
  sid: z.string().optional(),
  initiator: z.enum(initiators).default('session-revoked'),
  client_id: z.string().optional(),
  approve: z.boolean().default(true),
});

class NotFound extends Error {}

function userOf({ state }: ControlParts, name: string | undefined): UserRecord {
  const user = state.users.get(name ?? '') ?? state.users.named(name ?? '');
  if (user === undefined) throw new NotFound(`No such user: ${name ?? '(none given)'}`);
  return user;
}

/** Every call of `/_control`, by method and first segment. */
const calls: Readonly<Record<string, (call: Call) => Answer | Promise<Answer>>> = {
  'GET settings': ({ parts }) => ({ body: parts.state.settings() }),
  'PATCH settings': ({ parts, body }) => ({ body: parts.state.configure(body) }),
  'POST users': ({ parts, body }) => ({
    status: 201,
    body: { users: makeUsers(parts.state, body) },
  }),
  'GET users': ({ parts, id }) => ({ body: shown(userOf(parts, id)) }),
  'PATCH users': ({ parts, id, body }) => {
    const user = userOf(parts, id);
    patchUser(parts.state, user, body);
    return { body: shown(user) };
  },
  'DELETE users': ({ parts, id }) => {
    const { user_id: userId } = userOf(parts, id);
    const removed = parts.state.users.remove(userId);
    parts.state.accountEvents.tell(userId, 'account-deleted');
    return { body: { removed } };
  },
  'GET requests': ({ parts, url }) => ({
    body: { requests: parts.state.requests.since(Number(url.searchParams.get('since') ?? 0)) },
  }),
  'DELETE requests': ({ parts }) => {
    parts.state.requests.clear();
    return { body: {} };
  },
  'GET messages': ({ parts, url }) => ({
    body: { messages: parts.state.messages.list(url.searchParams.get('to') ?? undefined) },
  }),
  'POST faults': ({ parts, body }) => {
    const given = z
      .union([z.strictObject({ faults: z.array(faultSchema) }), faultSchema])
      .parse(body);
    parts.faults.add(...('faults' in given ? given.faults : [given]));
    return { status: 201, body: { faults: parts.faults.list() } };
  },
  'GET faults': ({ parts }) => ({ body: { faults: parts.faults.list() } }),
  'DELETE faults': ({ parts }) => {
    parts.faults.clear();
    return { body: {} };
  },
  'POST logout': async ({ parts, body }) => {
    const { user_id, email, sid, initiator } = whoSchema.parse(body);
    const user =
      sid !== undefined && user_id === undefined && email === undefined
        ? undefined
        : userOf(parts, user_id ?? email);
    const which = {
      ...(user === undefined ? {} : { userId: user.user_id }),
      ...(sid === undefined ? {} : { sid }),
    };
    return { body: { deliveries: await parts.server.sessions.end(which, initiator) } };
  },
  'POST revoke': ({ parts, body }) => {
    const { user_id, email, client_id } = whoSchema.parse(body);
    const userId = userOf(parts, user_id ?? email).user_id;
    return {
      body: {
        revoked: parts.server.sessions.revoke({
          userId,
          ...(client_id === undefined ? {} : { clientId: client_id }),
        }),
      },
    };
  },
  'POST push': ({ parts, body }) => {
    const { user_id, email, approve } = whoSchema.parse(body);
    const userId = userOf(parts, user_id ?? email).user_id;
    let answered = parts.pushes.answer(userId, approve);
    for (const enrolment of parts.state.enrolments.all()) {
      if (enrolment.userId !== userId || enrolment.method.view.type !== 'push-notification')
        continue;
      enrolment.approved = approve;
      answered += 1;
    }
    return { body: { answered } };
  },
  'POST reset': ({ parts }) => {
    parts.reset();
    return { body: {} };
  },
};

/** Why a request may not come here, or undefined. */
function refusal({ server }: ControlParts, request: IncomingMessage) {
  if (!isOwnHost(request, server.parts.origins()))
    return { status: 403, error: 'Control is answered under the own names of the tenant only.' };
  if (isForeignPage(request))
    return { status: 403, error: 'Control is not for pages of other sites.' };
  if (hasBody(request) && !isJson(request))
    return { status: 415, error: 'The body must be application/json.' };
  return undefined;
}

/**
 * Answers `/_control/…`: how a test moves the tenant. JSON in and out; problems as `{error}` with
 * 400 or 404.
 */
export async function answerControl(
  parts: ControlParts,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [name = '', ...rest] = url.pathname.slice('/_control/'.length).split('/');
  const refused = refusal(parts, request);
  if (refused !== undefined) {
    sendJson(response, refused.status, { error: refused.error });
    return;
  }
  const call = calls[`${request.method ?? ''} ${name}`];
  if (call === undefined) {
    sendJson(response, 404, {
      error: `No such control: ${request.method ?? ''} ${url.pathname}`,
      calls: Object.keys(calls),
    });
    return;
  }
  try {
    const body =
      request.method === 'GET' || request.method === 'DELETE' ? {} : await readMembers(request);
    const answer = await call({ parts, body, url, id: decodeURIComponent(rest.join('/')) });
    sendJson(response, answer.status ?? 200, answer.body);
  } catch (error) {
    if (error instanceof NotFound) sendJson(response, 404, { error: error.message });
    else if (error instanceof z.ZodError)
      sendJson(response, 400, { error: z.prettifyError(error) });
    else if (error instanceof SettingsError || error instanceof BodyError)
      sendJson(response, 400, { error: error.message });
    else sendJson(response, 400, { error: error instanceof Error ? error.message : String(error) });
  }
}
