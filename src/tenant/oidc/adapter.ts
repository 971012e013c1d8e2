import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { State } from '../state/state.ts';
import { clientMetadata, findClient } from './clients.ts';

/** What one entry of the store is. */
interface Entry {
  payload: AdapterPayload;
  /**
   * The clock offset (seconds) when it was stored: what it says in times is true at that offset.
   */
  offset: number;
  expiresAt: number;
}

/** Everything oidc-provider keeps, of one tenant: by model, then by id. */
export interface Store {
  adapter(name: string): Adapter;
  /** The grants (one per sign-in of one application) that a filter matches, with their ids. */
  grants(filter: { userId?: string; clientId?: string }): string[];
  /** Deletes everything that hangs on a grant. */
  revokeGrant(grantId: string): void;
  /** The browser sessions at the tenant, all users. */
  sessions(): AdapterPayload[];
  dropSession(uid: string): void;
  /** Lets a browser session live for so many seconds from now; false when there is none. */
  extendSession(uid: string, seconds: number): boolean;
  clear(): void;
}

const timeMembers = ['iat', 'exp', 'iiat', 'loginTs', 'authTime'] as const;

/**
 * A stored payload as it looks now: `seconds` older than the machine's clock says, because the
 * tenant's clock was moved on.
 */
function aged(payload: AdapterPayload, seconds: number): AdapterPayload {
  if (seconds === 0) return payload;
  const older = { ...payload };
  for (const member of timeMembers) {
    const value = older[member];
    if (typeof value === 'number') older[member] = value - seconds;
  }
  return older;
}

/**
 * An in-memory store for oidc-provider that ages with the tenant's clock. oidc-provider itself
 * lives in the machine's time; moving `clockOffsetSeconds` makes everything stored older, so
 * tokens, codes, sessions and sign-ins expire as they would had the time passed, while the proofs
 * and assertions of clients, made with their own clocks, stay valid.
 */
export function createStore(state: State): Store {
  const models = new Map<string, Map<string, Entry>>();
  const of = (name: string): Map<string, Entry> => {
    let model = models.get(name);
    if (model === undefined) models.set(name, (model = new Map<string, Entry>()));
    return model;
  };
  const offset = (): number => Math.round(state.settings().clockOffsetSeconds);
  const read = (name: string, id: string): AdapterPayload | undefined => {
    const entry = of(name).get(id);
    if (entry === undefined) return undefined;
    if (entry.expiresAt <= state.clock.now()) {
      of(name).delete(id);
      return undefined;
    }
    return aged(entry.payload, offset() - entry.offset);
  };
  const sweep = (model: Map<string, Entry>): void => {
    if (model.size % 500 !== 0) return;
    for (const [id, entry] of model) if (entry.expiresAt <= state.clock.now()) model.delete(id);
  };
  const findBy = (
    name: string,
    member: 'uid' | 'userCode',
    value: string,
  ): AdapterPayload | undefined => {
    for (const [id, entry] of of(name)) if (entry.payload[member] === value) return read(name, id);
    return undefined;
  };

  return {
    adapter: (name) => ({
      upsert(id, payload, expiresIn = 86_400) {
        const model = of(name);
        sweep(model);
        const life =
          name === 'PushedAuthorizationRequest'
            ? Math.min(expiresIn, state.settings().switches.parSeconds)
            : expiresIn;
        const kept = name === 'RefreshToken' || name === 'AuthorizationCode' ? 86_400 : 0; // reuse is told apart from unknown for a day
        model.set(id, {
          payload,
          offset: offset(),
          expiresAt: state.clock.now() + (life + kept) * 1000,
        });
        return Promise.resolve();
      },
      find(id) {
        if (name === 'Client') return Promise.resolve(clientMetadata(state.settings(), id));
        const found = read(name, id);
        return Promise.resolve(
          name === 'RefreshToken' && found !== undefined ? withLeeway(found) : found,
        );
      },
      findByUid: (uid) => Promise.resolve(findBy(name, 'uid', uid)),
      findByUserCode: (userCode) => Promise.resolve(findBy(name, 'userCode', userCode)),
      consume(id) {
        const entry = of(name).get(id);
        if (entry !== undefined)
          entry.payload = { ...entry.payload, consumed: Math.floor(state.clock.now()) };
        return Promise.resolve();
      },
      destroy: (id) => Promise.resolve(void of(name).delete(id)),
      revokeByGrantId(grantId) {
        for (const [id, entry] of of(name))
          if (entry.payload.grantId === grantId) of(name).delete(id);
        return Promise.resolve();
      },
    }),
    grants(filter) {
      const found: string[] = [];
      for (const [id, { payload }] of of('Grant')) {
        if (filter.userId !== undefined && payload.accountId !== filter.userId) continue;
        if (filter.clientId !== undefined && payload.clientId !== filter.clientId) continue;
        found.push(id);
      }
      return found;
    },
    revokeGrant(grantId) {
      of('Grant').delete(grantId);
      for (const name of ['AccessToken', 'RefreshToken', 'AuthorizationCode']) {
        for (const [id, entry] of of(name))
          if (entry.payload.grantId === grantId) of(name).delete(id);
      }
    },
    sessions: () =>
      [...of('Session').keys()]
        .map((id) => read('Session', id))
        .filter((session) => session !== undefined),
    extendSession(uid, seconds) {
      for (const [id, entry] of of('Session')) {
        if (entry.payload['uid'] !== uid || read('Session', id) === undefined) continue;
        const payload = aged(entry.payload, offset() - entry.offset);
        entry.payload = { ...payload, exp: Math.floor(Date.now() / 1000) + seconds };
        entry.offset = offset();
        entry.expiresAt = state.clock.now() + seconds * 1000;
        return true;
      }
      return false;
    },
    dropSession(uid) {
      for (const [id, entry] of of('Session'))
        if (entry.payload.uid === uid) of('Session').delete(id);
    },
    clear: () => {
      models.clear();
    },
  };

  /**
   * Within the leeway the token before the newest of its family counts as unused (Auth0: "overlap
   * period").
   */
  function withLeeway(found: AdapterPayload): AdapterPayload {
    const settings = state.settings();
    const own = findClient(settings, found.clientId)?.refresh_token.leeway;
    const leeway = (own ?? settings.tokens.refreshLeewaySeconds) * 1000;
    const used: unknown = found.consumed;
    if (typeof used !== 'number' || used + leeway <= state.clock.now()) return found;
    const newest = Math.max(
      ...[...of('RefreshToken').values()]
        .filter(({ payload }) => payload.grantId === found.grantId)
        .map(({ payload }) => rotations(payload)),
    );
    if (rotations(found) !== newest - 1) return found;
    const unused = { ...found };
    delete unused.consumed;
    return unused;
  }
}

const rotations = (payload: AdapterPayload): number =>
  typeof payload['rotations'] === 'number' ? payload['rotations'] : 0;
