// The shapes of Auth0's My Account API as its OpenAPI file gives them (version 1.0), and the
// operations by name.

import type { AccountProfile, ProfileChange, ProfilePart } from './account-profile.ts';

/** The kinds of method and factor that Auth0 names today. */
export type FactorType =
  | 'password'
  | 'passkey'
  | 'webauthn-platform'
  | 'webauthn-roaming'
  | 'totp'
  | 'phone'
  | 'email'
  | 'push-notification'
  | 'recovery-code';

/** Whether a method signs in by itself or only as a second step. */
export type Usage = 'primary' | 'secondary';

/** A kind of factor the tenant has switched on. */
export interface Factor {
  type: FactorType;
  usage?: Usage[];
}

interface Stored {
  id: string;
  created_at: string;
  usage: Usage[];
}

interface Confirmable extends Stored {
  confirmed: boolean;
  last_auth_at?: string;
  name?: string;
}

/** One way the user can prove who they are; `id` holds a `|` and is passed on as it is. */
export type AuthenticationMethod =
  | (Stored & { type: 'password'; identity_user_id: string; last_password_reset?: string })
  | (Stored & {
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
  | (Confirmable & { type: 'totp' | 'push-notification' })
  | (Omit<Confirmable, 'name'> & { type: 'recovery-code' })
  | (Confirmable & { type: 'email'; email: string })
  | (Confirmable & {
      type: 'phone';
      phone_number: string;
      preferred_authentication_method: 'sms' | 'voice';
    })
  | (Confirmable & {
      type: 'webauthn-platform' | 'webauthn-roaming';
      key_id?: string;
      public_key?: string;
    });

/** What starts an enrolment: `POST /authentication-methods`. */
export type NewMethod =
  | { type: 'totp' | 'push-notification' | 'recovery-code' }
  | { type: 'email'; email: string }
  | { type: 'phone'; phone_number: string; preferred_authentication_method?: 'sms' | 'voice' }
  | { type: 'password' | 'passkey'; connection?: string; identity_user_id?: string };

/** What a new password must be like, shown before it is set. */
export interface PasswordPolicy {
  complexity: {
    min_length: number;
    character_types: ('uppercase' | 'lowercase' | 'number' | 'special')[];
    character_type_rule: 'all' | 'three_of_four';
    identical_characters: 'allow' | 'block';
    sequential_characters: 'allow' | 'block';
    max_length_exceeded: 'truncate' | 'error';
  };
  profile_data: { active: boolean; blocked_fields: string[] };
  history: { active: boolean; size: number };
  dictionary: { active: boolean; default: 'en_10k' | 'en_100k' };
}

/**
 * WebAuthn creation options in their JSON form (base64url strings), as `navigator.credentials`
 * libraries take them.
 */
export interface PasskeyCreation {
  challenge: string;
  timeout?: number;
  rp: { id?: string; name: string };
  user: { id: string; name: string; displayName: string };
  pubKeyCredParams: { type: 'public-key'; alg: number }[];
  authenticatorSelection?: {
    residentKey?: 'required' | 'preferred' | 'discouraged';
    userVerification?: 'required' | 'preferred' | 'discouraged';
  };
  excludeCredentials?: { id: string; type: 'public-key'; transports?: string[] }[];
}

/**
 * The answer to an enrolment begun: what the user must be shown or asked, whichever kind it is; of
 * a known kind it is an `EnrolmentOf`. `id` is always there: for a passkey it is taken from the
 * `Location` header, where alone Auth0 says it.
 */
export interface Enrolment {
  id: string;
  auth_session: string;
  barcode_uri?: string;
  manual_input_code?: string;
  recovery_code?: string;
  policy?: PasswordPolicy;
  authn_params_public_key?: PasskeyCreation;
}

interface EnrolmentMembers {
  totp: { barcode_uri: string };
  'push-notification': { barcode_uri: string };
  'recovery-code': { recovery_code: string };
  password: { policy: PasswordPolicy };
  passkey: { authn_params_public_key: PasskeyCreation };
  email: object;
  phone: object;
}

/** The answer to an enrolment of this kind: what Auth0 promises of it is there. */
export type EnrolmentOf<Type extends NewMethod['type']> = Type extends unknown
  ? Enrolment & EnrolmentMembers[Type]
  : never;

/** What finishes an enrolment: `POST /authentication-methods/{id}/verify`. */
export type Proof =
  | { auth_session: string }
  | { auth_session: string; otp_code: string }
  | { auth_session: string; new_password: string }
  | { auth_session: string; authn_response: object };

/** What a change of a method may name; a channel only for a telephone. */
export interface MethodChange {
  name?: string;
  preferred_authentication_method?: 'sms' | 'voice';
}

/** What starts the connection of an account at another provider. */
export interface ConnectRequest {
  connection: string;
  redirect_uri: string;
  state?: string;
  code_challenge?: string;
  code_challenge_method?: 'S256';
  scopes?: string[];
  authorization_params?: Record<string, string>;
}

/**
 * Where to send the user with which ticket, for `expires_in` seconds, and the session to complete
 * with.
 */
export interface ConnectTicket {
  connect_uri: string;
  auth_session: string;
  connect_params: { ticket: string };
  expires_in: number;
}

/** An account at another provider that the user has connected. */
export interface ConnectedAccount {
  id: string;
  connection: string;
  access_type: 'offline';
  scopes?: string[];
  created_at: string;
  expires_at?: string;
  org_id?: string;
}

/** A provider at which the user could connect an account. */
export interface Connection {
  name: string;
  strategy: string;
  scopes?: string[];
}

/**
 * A place in a long list: the cursor `next` of the page before goes into `from`; `take` is 1 to 20.
 */
export interface PageOf {
  from?: string;
  take?: number;
}

/** Every operation of the API that Auth0 answers today: what it takes and what it answers. */
export interface Operations {
  'factors.list': { args: []; answer: { factors: Factor[] } };
  'authenticationMethods.list': {
    args: [filter?: { type?: FactorType } | undefined];
    answer: { authentication_methods: AuthenticationMethod[] };
  };
  'authenticationMethods.create': { args: [body: NewMethod]; answer: Enrolment };
  'authenticationMethods.get': { args: [id: string]; answer: AuthenticationMethod };
  'authenticationMethods.update': {
    args: [id: string, body: MethodChange];
    answer: AuthenticationMethod;
  };
  'authenticationMethods.delete': { args: [id: string]; answer: undefined };
  'authenticationMethods.verify': { args: [id: string, body: Proof]; answer: AuthenticationMethod };
  'connectedAccounts.connect': { args: [body: ConnectRequest]; answer: ConnectTicket };
  'connectedAccounts.complete': {
    args: [
      body: {
        auth_session: string;
        connect_code: string;
        redirect_uri: string;
        code_verifier?: string;
      },
    ];
    answer: ConnectedAccount;
  };
  'connectedAccounts.list': {
    args: [page?: (PageOf & { connection?: string[] }) | undefined];
    answer: { accounts: ConnectedAccount[]; next?: string };
  };
  'connectedAccounts.connections': {
    args: [page?: PageOf | undefined];
    answer: { connections: Connection[]; next?: string };
  };
  'connectedAccounts.delete': { args: [id: string]; answer: undefined };
  'accountProfile.get': { args: [part?: ProfilePart | undefined]; answer: AccountProfile };
  'accountProfile.update': { args: [body: ProfileChange]; answer: AccountProfile };
}

/** The name of an operation. */
export type OperationName = keyof Operations;
/** What an operation takes, by its name. */
export type Args<Name extends OperationName> = Operations[Name]['args'];
/** What an operation answers, by its name. */
export type Answer<Name extends OperationName> = Operations[Name]['answer'];
