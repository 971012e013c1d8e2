import type { Seal } from '../session/seal.ts';
import type { Session } from '../session/sessions.ts';

/** Addresses that begin a connection again, after a step-up on the way. */
export interface Resume {
  /** Returns the path of `/auth/connect` for this user; good for a quarter of an hour. */
  address(session: Session, ask: { connection: string; returnTo: string }): string;
  /** Whether a `resume` parameter was made for this session's user, a moment ago. */
  accepts(session: Session, token: string | null): boolean;
}

const lastsMs = 900_000;
const none = Buffer.alloc(0);

/**
 * Makes the addresses. After a step-up the browser comes from Auth0, so what it asks looks like
 * another site's wish: the parameter shows that it was this user's own.
 */
export const createResume = (seal: Seal): Resume => ({
  address({ user }, { connection, returnTo }) {
    const plain = Buffer.from(JSON.stringify({ user, at: Date.now() }));
    const resume = seal.seal(plain, none).toString('base64url');
    return `/auth/connect?${new URLSearchParams({ connection, returnTo, resume }).toString()}`;
  },
  accepts({ user }, token) {
    const plain = seal.unseal(Buffer.from(token ?? '', 'base64url'), none);
    if (plain === undefined) return false;
    const said = JSON.parse(plain.toString()) as { user?: unknown; at?: unknown };
    return said.user === user && typeof said.at === 'number' && Date.now() - said.at < lastsMs;
  },
});
