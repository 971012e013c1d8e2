import { z } from 'zod';
import { newUser, newUserSchema, passwordMethod } from '../state/new-user.ts';
import type { State } from '../state/state.ts';
import type { UserRecord } from '../state/users.ts';

/** What `POST /_control/users` takes: one user, several, or how many to make up. */
const usersSchema = z.union([
  z.strictObject({
    count: z.number().int().min(1).max(100_000),
    /** Every made-up user's password. */
    password: z.string().default('password'),
    totp: z.boolean().default(false),
  }),
  z.strictObject({ users: z.array(newUserSchema) }),
  newUserSchema,
]);

/** What a patch of one user at the control may say. */
const userPatchSchema = z.strictObject({
  blocked: z.boolean().optional(),
  email_verified: z.boolean().optional(),
  email: z.email().optional(),
  password: z.string().optional(),
  permissions: z.record(z.string(), z.array(z.string())).optional(),
  organizations: z.array(z.string()).optional(),
});

/** A user as the control interface shows one: what a test needs to act as them. */
export interface ShownUser {
  user_id: string;
  email: string;
  password?: string;
  totpSecret?: string;
  recoveryCode?: string;
  methods: { id: string; type: string }[];
}

/** Shows a user with the secrets a test needs. */
export function shown(user: UserRecord, password?: string): ShownUser {
  const totpSecret = user.methods.find(({ view }) => view.type === 'totp')?.secrets.totpSecret;
  const recoveryCode = user.methods.find(({ view }) => view.type === 'recovery-code')?.secrets
    .recoveryCode;
  return {
    user_id: user.user_id,
    email: user.email,
    ...(password === undefined ? {} : { password }),
    ...(totpSecret === undefined ? {} : { totpSecret }),
    ...(recoveryCode === undefined ? {} : { recoveryCode }),
    methods: user.methods.map(({ view }) => ({ id: view.id, type: view.type })),
  };
}

let made = 0;

/** Makes users and answers them in order; ten thousand in well under five seconds. */
export function makeUsers(state: State, input: unknown): ShownUser[] {
  const parsed = usersSchema.parse(input);
  const wanted =
    'count' in parsed
      ? Array.from({ length: parsed.count }, () => {
          made += 1;
          const methods = parsed.totp ? [{ type: 'totp' as const }] : [];
          return newUserSchema.parse({
            email: `user-${made}@example.com`,
            password: parsed.password,
            methods,
          });
        })
      : 'users' in parsed
        ? parsed.users
        : [parsed];
  return wanted.map((given) => {
    const user = newUser(given, state.clock);
    state.users.add(user);
    return shown(user, given.password);
  });
}

/** Changes a user in place. */
export function patchUser(state: State, user: UserRecord, input: unknown): void {
  const { password, email, ...rest } = userPatchSchema.parse(input);
  Object.assign(
    user,
    Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
    {
      updated_at: state.clock.iso(),
    },
  );
  if (email !== undefined) {
    user.email = email;
    state.users.reindex(user);
    state.accountEvents.tell(user.user_id, 'email-identifier-changed');
  }
  if (password === undefined) return;
  const others = user.methods.filter(({ view }) => view.type !== 'password');
  user.methods = [passwordMethod(user.user_id, password, state.clock.iso()), ...others];
  state.accountEvents.tell(user.user_id, 'password-changed');
}
