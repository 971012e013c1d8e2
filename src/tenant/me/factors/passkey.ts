import { generateRegistrationOptions, verifyRegistrationResponse } from '@simplewebauthn/server';
import type { MethodRecord } from '../../state/methods.ts';
import type { StartIdentity, VerifyAttestation } from '../bodies.ts';
import type { Call } from '../parts.ts';
import { Problem } from '../problems.ts';
import { originFits, relyingPartyId } from '../relying-party.ts';
import { newMethodId } from '../../state/new-user.ts';
import { type Factor, ownIdentity, tenantName } from './factor.ts';

const algorithms = [-8, -7, -257];

/**
 * A passkey: creation options first, then the authenticator's attestation, verified as WebAuthn
 * Level 3 section 7.1 says.
 */
export const passkey: Factor<VerifyAttestation, StartIdentity> = {
  async start(call, body) {
    const { state, user } = call;
    const options = await creationOptions(call, body.use_exclude_credentials === true);
    const method: MethodRecord = {
      view: {
        id: 'passkey|new',
        type: 'passkey',
        identity_user_id: ownIdentity(call, body),
        user_handle: options.user.id,
        key_id: '',
        public_key: '',
        credential_device_type: 'single_device',
        credential_backed_up: false,
        usage: ['primary'],
        created_at: state.clock.iso(),
      },
      secrets: {},
    };
    const enrolment = state.enrolments.start({
      userId: user.user_id,
      method,
      challenge: options.challenge,
    });
    return { id: 'passkey|new', enrolment, body: { authn_params_public_key: options } };
  },
  async finish({ state, origin, user, request }, { challenge = '', method }, { authn_response }) {
    const rpId = relyingPartyId(origin);
    const made = await attested(authn_response, challenge, rpId);
    if (
      user.methods.some(
        (one) => one.view.type === 'passkey' && one.view.key_id === made.credential.id,
      )
    ) {
      throw new Problem('refused_proof', { detail: 'The passkey is already enrolled.' });
    }
    if (method.view.type !== 'passkey') throw new Problem('refused_proof');
    const agent = request.headers['user-agent'];
    const view = {
      ...method.view,
      id: newMethodId('passkey'),
      key_id: made.credential.id,
      public_key: Buffer.from(made.credential.publicKey).toString('base64url'),
      credential_device_type:
        made.credentialDeviceType === 'multiDevice'
          ? ('multi_device' as const)
          : ('single_device' as const),
      credential_backed_up: made.credentialBackedUp,
      transports: authn_response.response.transports ?? [],
      aaguid: made.aaguid,
      relying_party_id: rpId,
      created_at: state.clock.iso(),
      ...(agent === undefined ? {} : { user_agent: agent }),
    };
    user.methods.push({ view, secrets: { counter: made.credential.counter } });
    return view;
  },
};

async function creationOptions({ origin, user }: Call, exclude: boolean) {
  const known = user.methods.map((one) => one.view).filter((view) => view.type === 'passkey');
  const options = await generateRegistrationOptions({
    rpName: tenantName(origin),
    rpID: relyingPartyId(origin),
    userID: new TextEncoder().encode(user.user_id),
    userName: user.email,
    userDisplayName: user.name,
    timeout: 60_000,
    attestationType: 'none',
    supportedAlgorithmIDs: algorithms,
    authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
  });
  // Only the members Auth0 answers with; hints, attestation and extensions are not among them.
  return {
    challenge: options.challenge,
    timeout: 60_000,
    rp: { id: relyingPartyId(origin), name: options.rp.name },
    user: options.user,
    pubKeyCredParams: options.pubKeyCredParams,
    authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
    ...(exclude
      ? {
          excludeCredentials: known.map((view) => ({
            id: view.key_id,
            type: 'public-key',
            transports: view.transports ?? [],
          })),
        }
      : {}),
  };
}

async function attested(
  response: VerifyAttestation['authn_response'],
  challenge: string,
  rpId: string,
) {
  const origin = originOf(response.response.clientDataJSON);
  if (!originFits(origin, rpId))
    throw new Problem('refused_proof', { detail: 'The passkey was made for another site.' });
  const result = await verifyRegistrationResponse({
    response: { ...response, clientExtensionResults: response.clientExtensionResults },
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: rpId,
    requireUserVerification: false,
    supportedAlgorithmIDs: algorithms,
  }).catch((error: unknown) => {
    throw new Problem('refused_proof', {
      detail: error instanceof Error ? error.message : 'The attestation is invalid.',
    });
  });
  if (!result.verified)
    throw new Problem('refused_proof', { detail: 'The attestation is invalid.' });
  return result.registrationInfo;
}

function originOf(clientDataJSON: string): string {
  try {
    const data: unknown = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString());
    return typeof data === 'object' &&
      data !== null &&
      'origin' in data &&
      typeof data.origin === 'string'
      ? data.origin
      : '';
  } catch {
    return '';
  }
}
