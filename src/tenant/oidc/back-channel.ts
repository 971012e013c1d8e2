import { randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import type { Initiator } from '../state/account-events.ts';
import type { ClientRecord } from '../state/settings.ts';
import { findClient } from './clients.ts';
import type { Parts } from './context.ts';
import type { SigningKey } from './keys.ts';

/** A logout token that was sent, and what the application answered; status 0 when it did not. */
export interface Delivery {
  client_id: string;
  url: string;
  status: number;
  sid?: string;
}

/**
 * Sends the logout tokens of one ended session (OpenID Connect Back-Channel Logout 1.0, section
 * 2.5); each waits 5 s and is never repeated.
 */
export type NotifyLogout = (
  session: { userId: string; sid: string; clientIds: string[] },
  initiator: Initiator,
) => Promise<Delivery[]>;

/** Makes the sender for one tenant. */
export function createBackChannel({ state, logins }: Parts, key: SigningKey): NotifyLogout {
  const issuerFor = (sid: string): string =>
    [...logins.byGrant.values()].find((login) => login.sid === sid)?.issuer ?? `${state.origin}/`;

  async function deliver(
    client: ClientRecord,
    url: string,
    userId: string,
    sid: string,
  ): Promise<Delivery> {
    const withSid = client.backchannel_logout_form === 'session' ? { sid } : {};
    const token = await new SignJWT({
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      trace_id: randomUUID(),
      ...withSid,
    })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: key.privateJwk.kid })
      .setIssuer(issuerFor(sid))
      .setSubject(userId)
      .setAudience(client.client_id)
      .setIssuedAt()
      .setExpirationTime('120s')
      .setJti(randomUUID())
      .sign(await importJWK(key.privateJwk, 'RS256'));
    const request = {
      method: 'POST',
      redirect: 'manual' as const,
      body: new URLSearchParams({ logout_token: token }),
    };
    const status = await fetch(url, { ...request, signal: AbortSignal.timeout(5000) }).then(
      (response) => response.status,
      () => 0,
    );
    return { client_id: client.client_id, url, status, ...withSid };
  }

  return async ({ userId, sid, clientIds }, initiator) => {
    const settings = state.settings();
    const clients = clientIds
      .map((id) => findClient(settings, id))
      .filter((client) => client !== undefined);
    const sent = clients.map(async (client) => {
      const url = client.backchannel_logout_uri;
      if (url === undefined || !client.backchannel_logout_initiators.includes(initiator))
        return undefined;
      return deliver(client, url, userId, sid);
    });
    return (await Promise.all(sent)).filter((delivery) => delivery !== undefined);
  };
}
