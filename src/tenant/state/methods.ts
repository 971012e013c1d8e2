/**
 * The factor types of the My Account API (FactorTypeEnum of Auth0's OpenAPI file), in its spelling.
 */
export const factorTypes = [
  'password',
  'passkey',
  'webauthn-platform',
  'webauthn-roaming',
  'totp',
  'phone',
  'email',
  'push-notification',
  'recovery-code',
] as const;

/** One of `factorTypes`. */
export type FactorType = (typeof factorTypes)[number];

/** Whether a method signs in by itself or only as a second step. */
type Usage = 'primary' | 'secondary';

interface Common {
  /** `type|dev_…`, `password|…`: contains a bar, percent-encoded in URLs. */
  id: string;
  created_at: string;
  usage: Usage[];
}

interface Confirmable extends Common {
  confirmed: boolean;
  last_auth_at?: string;
}

/** An authentication method exactly as `GET /me/v1/authentication-methods` shows it. */
export type MethodView =
  | (Common & { type: 'password'; identity_user_id: string; last_password_reset?: string })
  | (Common & {
      type: 'passkey';
      credential_device_type: 'single_device' | 'multi_device';
      credential_backed_up: boolean;
      identity_user_id: string;
      key_id: string;
      public_key: string;
      user_handle: string;
      transports?: string[];
      user_agent?: string;
      aaguid?: string;
      relying_party_id?: string;
      last_auth_at?: string;
    })
  | (Confirmable & { type: 'totp' | 'push-notification'; name?: string })
  | (Confirmable & { type: 'recovery-code' })
  | (Confirmable & { type: 'email'; name?: string; email: string })
  | (Confirmable & {
      type: 'phone';
      name?: string;
      phone_number: string;
      preferred_authentication_method: 'sms' | 'voice';
    })
  | (Confirmable & {
      type: 'webauthn-platform' | 'webauthn-roaming';
      name?: string;
      key_id?: string;
      public_key?: string;
    });

/** What the tenant keeps beside the view and never shows over `/me`. */
export interface MethodSecrets {
  /** Base32, for `totp`. */
  totpSecret?: string;
  /** Salted hash of a password, see passwords.ts. */
  passwordHash?: string;
  /** Earlier hashes, newest first, for the password history policy. */
  passwordHistory?: string[];
  /** 24 capital letters and digits, for `recovery-code`. */
  recoveryCode?: string;
  /** WebAuthn signature counter of a `passkey`. */
  counter?: number;
}

/** An authentication method as stored: the API's view and the private part beside it. */
export interface MethodRecord {
  view: MethodView;
  secrets: MethodSecrets;
}

/** Does this method count as a second factor that is ready to be used? */
export function isSecondFactor(method: MethodRecord): boolean {
  return (
    method.view.usage.includes('secondary') && 'confirmed' in method.view && method.view.confirmed
  );
}
