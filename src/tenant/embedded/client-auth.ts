import { timingSafeEqual } from 'node:crypto';
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from 'jose';
import { findClient } from '../oidc/clients.ts';
import type { ClientRecord, Settings } from '../state/settings.ts';

const same = (given: string, expected: string): boolean =>
  given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));

/**
 * Checks the application's credentials in a JSON body, as the embedded endpoints take them: a
 * secret, an assertion (private_key_jwt), or none.
 */
export async function authenticateClient(
  settings: Settings,
  members: Record<string, unknown>,
  issuer: string,
): Promise<ClientRecord | undefined> {
  const { client_id: id, client_secret: secret, client_assertion: assertion } = members;
  const clientId =
    typeof id === 'string' ? id : typeof assertion === 'string' ? subjectOf(assertion) : undefined;
  const client = findClient(settings, clientId);
  if (client === undefined) return undefined;
  switch (client.token_endpoint_auth_method) {
    case 'none':
      return client;
    case 'private_key_jwt': {
      if (typeof assertion !== 'string' || client.jwks === undefined) return undefined;
      const keys: JSONWebKeySet = { keys: client.jwks.keys.map((key) => ({ kty: 'RSA', ...key })) };
      const options = {
        issuer: client.client_id,
        subject: client.client_id,
        audience: issuer,
        clockTolerance: 10,
      };
      return jwtVerify(assertion, createLocalJWKSet(keys), options).then(
        () => client,
        () => undefined,
      );
    }
    default:
      return typeof secret === 'string' && same(secret, client.client_secret ?? '')
        ? client
        : undefined;
  }
}

function subjectOf(jwt: string): string | undefined {
  try {
    return decodeJwt(jwt).sub;
  } catch {
    return undefined;
  }
}
