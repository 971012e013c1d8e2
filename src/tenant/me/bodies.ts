import type { RegistrationResponseJSON } from '@simplewebauthn/server';

/** Names the identity a password or passkey is for; without it, the user's own. */
export interface StartIdentity {
  readonly connection?: string;
  readonly identity_user_id?: string;
  readonly use_exclude_credentials?: boolean;
}

/** The body that starts an e-mail enrolment. */
export interface StartEmail {
  readonly email: string;
}

/** The body that starts a telephone enrolment. */
export interface StartPhone {
  readonly phone_number: string;
  readonly preferred_authentication_method?: 'sms' | 'voice';
}

/** The body that finishes an enrolment with nothing but its session. */
export interface VerifyBare {
  readonly auth_session: string;
}

/** The body that finishes an enrolment with a code. */
export interface VerifyWithCode extends VerifyBare {
  readonly otp_code: string;
}

/** The body that sets a password. */
export interface VerifyPassword extends VerifyBare {
  readonly new_password: string;
}

/** The body that finishes a passkey with the authenticator's attestation. */
export interface VerifyAttestation extends VerifyBare {
  readonly authn_response: RegistrationResponseJSON;
}
