// The profile as the My Account API gives it (beta).

/** The fields of a profile that can be asked for by name. */
export type ProfileField =
  | 'given_name'
  | 'family_name'
  | 'name'
  | 'nickname'
  | 'picture'
  | 'email'
  | 'phone_number'
  | 'username'
  | 'user_metadata'
  | 'created_at'
  | 'updated_at'
  | 'profile_policy';

/** Whether a field may be changed here, who keeps it, and why. */
export interface ProfileFieldPolicy {
  access: 'read_only' | 'read_write';
  source: 'user' | 'idp' | 'system';
  reason?: string;
  label?: string;
}

/** What Auth0 knows of the user (beta). `profile_policy` is by JSON Pointer: `/given_name`. */
export interface AccountProfile {
  user_id?: string;
  given_name?: string;
  family_name?: string;
  name?: string;
  nickname?: string;
  picture?: string;
  email?: string;
  email_verified?: boolean;
  phone_number?: string;
  phone_verified?: boolean;
  username?: string;
  user_metadata?: Record<string, unknown>;
  created_at?: string;
  updated_at?: string;
  profile_policy?: Record<string, ProfileFieldPolicy>;
}

/** A part of the profile: these fields, or with `include_fields: false` all but these. */
export interface ProfilePart {
  fields?: ProfileField[];
  include_fields?: boolean;
}

/**
 * What a change of the profile may name, all of it or nothing; `user_metadata` merges, null removes
 * a key.
 */
export interface ProfileChange {
  given_name?: string;
  family_name?: string;
  name?: string;
  nickname?: string;
  picture?: string;
  user_metadata?: Record<string, unknown>;
}
