import type { FactorType, MethodRecord, MethodView } from '../state/methods.ts';
import { enrollable } from './factors/enrolment.ts';
import type { Answer, Call } from './parts.ts';
import { Problem } from './problems.ts';
import { changeSchema, listQuery, startType } from './schemas-methods.ts';
import { createCheck } from './validate.ts';

const checkList = createCheck<{ type?: FactorType }>(listQuery);
const checkStart = createCheck<{ type: string }>(startType);
const checkChange = createCheck<{
  name?: string;
  preferred_authentication_method?: 'sms' | 'voice';
}>(changeSchema);

const primary: ReadonlySet<FactorType> = new Set<FactorType>(['password', 'passkey']);

/** GET /factors: what is enabled on the tenant. */
export function listFactors({ settings }: Call): Answer {
  const factors = settings.my_account.factors.map((type) => ({
    type,
    usage: [primary.has(type) ? 'primary' : 'secondary'],
  }));
  return { status: 200, body: { factors } };
}

/** GET /authentication-methods, of one `type` if the query names one. */
export function listMethods({ user, query }: Call): Answer {
  const { type } = checkList(query, 'query');
  const views = user.methods.map((method) => method.view);
  return {
    status: 200,
    body: {
      authentication_methods:
        type === undefined ? views : views.filter((view) => view.type === type),
    },
  };
}

/** GET /authentication-methods/{id}: one method of the user, 404 when it is not theirs. */
export function readMethod(call: Call): Answer {
  return { status: 200, body: owned(call).view };
}

/** POST /authentication-methods: starts an enrolment; the URL to verify it at is in `Location`. */
export async function startMethod(call: Call): Promise<Answer> {
  const { type } = checkStart(call.body);
  const factor = enrollable[type];
  if (!factor || !call.settings.my_account.factors.some((enabled) => enabled === type)) {
    throw new Problem('invalid_request', { detail: `The factor ${type} is not enabled.` });
  }
  const { id, enrolment, body } = await factor.start(call);
  return {
    status: 202,
    headers: { Location: locationOf(call, id) },
    body: { ...body, auth_session: enrolment.authSession },
  };
}

/** POST /authentication-methods/{id}/verify: finishes an enrolment. */
export async function finishMethod(call: Call): Promise<Answer> {
  const { id = '' } = call.path;
  const factor = enrollable[id.split('|')[0] ?? ''];
  if (!factor) throw new Problem('method_not_found');
  if (!id.endsWith('|new')) owned(call);
  const view = await factor.finish(call, id);
  return { status: 201, headers: { Location: locationOf(call, view.id) }, body: view };
}

/** PATCH /authentication-methods/{id}: the name, and for a telephone the channel. */
export function changeMethod(call: Call): Answer {
  const { view } = owned(call);
  const change = checkChange(call.body);
  const unfit = Object.keys(change).filter((member) => !changeable(view, member));
  if (unfit.length > 0 && call.settings.switches.renameNameless === 'refuse') {
    const errors = unfit.map((member) => ({
      detail: `data/${member} does not apply to ${view.type}`,
      pointer: `/${member}`,
    }));
    throw new Problem('invalid_payload', { errors });
  }
  if (change.name !== undefined && nameable(view)) view.name = change.name;
  if (change.preferred_authentication_method !== undefined && view.type === 'phone') {
    view.preferred_authentication_method = change.preferred_authentication_method;
  }
  return { status: 200, body: view };
}

/** DELETE /authentication-methods/{id}; the last primary method stays. */
export function removeMethod(call: Call): Answer {
  const { user, settings, path } = call;
  if (
    settings.switches.unknownMethodStatus === 204 &&
    !user.methods.some((method) => method.view.id === path['id'])
  )
    return { status: 204 };
  const method = owned(call);
  const others = user.methods.filter((one) => one !== method);
  const lastPrimary =
    method.view.usage.includes('primary') &&
    !others.some((one) => one.view.usage.includes('primary'));
  if (lastPrimary && settings.switches.conflictOnLastPrimary) {
    throw new Problem('conflict', {
      detail: 'The last primary authentication method cannot be deleted.',
    });
  }
  user.methods = others;
  return { status: 204 };
}

function owned({ user, path }: Call): MethodRecord {
  const method = user.methods.find((one) => one.view.id === path['id']);
  if (!method) throw new Problem('method_not_found');
  return method;
}

type Nameable = Exclude<MethodView, { type: 'password' | 'passkey' | 'recovery-code' }>;
const nameable = (view: MethodView): view is Nameable =>
  view.type !== 'password' && view.type !== 'passkey' && view.type !== 'recovery-code';
const changeable = (view: MethodView, member: string): boolean =>
  member === 'name' ? nameable(view) : view.type === 'phone';

function locationOf({ origin, settings }: Call, id: string): string {
  const path = `/me/v1/authentication-methods/${encodeURIComponent(id)}`;
  return settings.switches.locationForm === 'absolute' ? `${origin}${path}` : path;
}
