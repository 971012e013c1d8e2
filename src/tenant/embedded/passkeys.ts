import { randomBytes } from 'node:crypto';
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { z } from 'zod';
import { relyingPartyId } from '../me/relying-party.ts';
import { TokenError } from '../oidc/resources.ts';
import { newMethodId, newUser, newUserSchema } from '../state/new-user.ts';
import type { MethodRecord } from '../state/methods.ts';
import type { State } from '../state/state.ts';
import type { UserRecord } from '../state/users.ts';
import { originOf, parseResponse, refused } from './passkey-response.ts';

interface Ceremony {
  challenge: string;
  rpId: string;
  clientId: string;
  expiresAt: number;
  /** Of a registration: the user to be made, and the handle the passkey will carry. */
  register?: { profile: z.infer<typeof newUserSchema>; handle: string };
}

const text = z.string().max(300);

const profileSchema = z.strictObject({
  email: z.email().optional(),
  phone_number: text.optional(),
  username: text.optional(),
  name: text.optional(),
  given_name: text.optional(),
  family_name: text.optional(),
  nickname: text.optional(),
  picture: z.url().optional(),
});

/**
 * Native passkeys (`/passkey/register`, `/passkey/challenge` and the webauthn grant) of one tenant.
 */
export interface Passkeys {
  register(
    origin: string,
    clientId: string,
    members: Record<string, unknown>,
  ): Promise<Record<string, unknown>>;
  challenge(origin: string, clientId: string): Promise<Record<string, unknown>>;
  /**
   * Finishes either: the user who was registered or who signed in. Throws TokenError when the proof
   * is not good.
   */
  finish(clientId: string, authSession: string, response: unknown): Promise<UserRecord>;
  clear(): void;
}

/** Makes the passkey ceremonies; an auth_session is good once, for five minutes. */
export function createPasskeys(state: State): Passkeys {
  const ceremonies = new Map<string, Ceremony>();
  const begin = (ceremony: Omit<Ceremony, 'expiresAt'>): string => {
    const authSession = randomBytes(24).toString('base64url');
    ceremonies.set(authSession, { ...ceremony, expiresAt: state.clock.now() + 300_000 });
    if (ceremonies.size > 10_000) ceremonies.delete(ceremonies.keys().next().value ?? '');
    return authSession;
  };

  return {
    async register(origin, clientId, members) {
      const profile = profileSchema.safeParse(members['user_profile']);
      if (!profile.success)
        throw new TokenError(400, 'invalid_request', z.prettifyError(profile.error));
      const email =
        profile.data.email ??
        `${profile.data.username ?? randomBytes(6).toString('hex')}@users.invalid`;
      if (state.users.named(profile.data.email ?? profile.data.username ?? '') !== undefined) {
        throw new TokenError(400, 'invalid_request', 'The user already exists.');
      }
      const given = newUserSchema.parse({ ...profile.data, email, email_verified: false });
      const handle = randomBytes(24).toString('base64url');
      const rpId = relyingPartyId(origin);
      const { challenge, pubKeyCredParams, user } = await generateRegistrationOptions({
        rpName: new URL(origin).host,
        rpID: rpId,
        userID: new Uint8Array(Buffer.from(handle, 'base64url')),
        userName: email,
        userDisplayName: profile.data.name ?? email,
        supportedAlgorithmIDs: [-8, -7, -257],
      });
      const authSession = begin({
        challenge,
        rpId,
        clientId,
        register: { profile: given, handle },
      });
      const authn_params_public_key = {
        challenge,
        timeout: 60_000,
        rp: { id: rpId, name: new URL(origin).host },
        user,
        pubKeyCredParams,
        authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
      };
      return { auth_session: authSession, authn_params_public_key };
    },
    async challenge(origin, clientId) {
      const rpId = relyingPartyId(origin);
      const { challenge } = await generateAuthenticationOptions({
        rpID: rpId,
        userVerification: 'preferred',
      });
      const authn_params_public_key = {
        challenge,
        timeout: 60_000,
        rpId,
        userVerification: 'preferred',
      };
      return { auth_session: begin({ challenge, rpId, clientId }), authn_params_public_key };
    },
    async finish(clientId, authSession, given) {
      const ceremony = ceremonies.get(authSession);
      ceremonies.delete(authSession);
      if (
        ceremony === undefined ||
        ceremony.clientId !== clientId ||
        ceremony.expiresAt <= state.clock.now()
      ) {
        throw refused('Invalid or expired auth_session.');
      }
      const response = parseResponse(given);
      return ceremony.register === undefined
        ? signIn(ceremony, response)
        : signUp(ceremony, ceremony.register, response);
    },
    clear: () => {
      ceremonies.clear();
    },
  };

  async function signUp(
    ceremony: Ceremony,
    { profile, handle }: NonNullable<Ceremony['register']>,
    response: unknown,
  ): Promise<UserRecord> {
    const attestation = response as RegistrationResponseJSON;
    const made = await verifyRegistrationResponse({
      response: attestation,
      expectedChallenge: ceremony.challenge,
      expectedOrigin: originOf(attestation, ceremony.rpId),
      expectedRPID: ceremony.rpId,
      requireUserVerification: false,
    }).catch((error: unknown) => {
      throw refused(error instanceof Error ? error.message : 'Invalid passkey.');
    });
    if (!made.verified) throw refused('Invalid passkey.');
    const user = newUser(profile, state.clock);
    const { credential, credentialDeviceType, credentialBackedUp, aaguid } = made.registrationInfo;
    user.methods.push({
      view: {
        id: newMethodId('passkey'),
        type: 'passkey',
        created_at: state.clock.iso(),
        usage: ['primary'],
        identity_user_id: user.user_id,
        user_handle: handle,
        key_id: credential.id,
        public_key: Buffer.from(credential.publicKey).toString('base64url'),
        credential_device_type:
          credentialDeviceType === 'multiDevice' ? 'multi_device' : 'single_device',
        credential_backed_up: credentialBackedUp,
        aaguid,
        relying_party_id: ceremony.rpId,
        transports: attestation.response.transports ?? [],
      },
      secrets: { counter: credential.counter },
    });
    state.users.add(user);
    return user;
  }

  async function signIn(ceremony: Ceremony, response: unknown): Promise<UserRecord> {
    const assertion = response as AuthenticationResponseJSON;
    const [user, method] = ownerOf(assertion.id) ?? [];
    if (user === undefined || method?.view.type !== 'passkey') throw refused('Invalid passkey.');
    const checked = await verifyAuthenticationResponse({
      response: assertion,
      expectedChallenge: ceremony.challenge,
      expectedOrigin: originOf(assertion, ceremony.rpId),
      expectedRPID: ceremony.rpId,
      requireUserVerification: false,
      credential: {
        id: method.view.key_id,
        publicKey: new Uint8Array(Buffer.from(method.view.public_key, 'base64url')),
        counter: method.secrets.counter ?? 0,
      },
    }).catch((error: unknown) => {
      throw refused(error instanceof Error ? error.message : 'Invalid passkey.');
    });
    if (!checked.verified) throw refused('Invalid passkey.');
    method.secrets.counter = checked.authenticationInfo.newCounter;
    method.view.last_auth_at = state.clock.iso();
    return user;
  }

  function ownerOf(credentialId: string): [UserRecord, MethodRecord] | undefined {
    for (const user of state.users.all()) {
      const method = user.methods.find(
        ({ view }) => view.type === 'passkey' && view.key_id === credentialId,
      );
      if (method !== undefined) return [user, method];
    }
    return undefined;
  }
}
