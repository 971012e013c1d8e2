import { newUser, newUserSchema } from '../state/new-user.ts';
import { passwordMatches } from '../state/passwords.ts';
import type { State } from '../state/state.ts';
import type { UserRecord } from '../state/users.ts';
import { sendPage } from '../http/answer.ts';
import { fail, finish, requested, type Page, type Visit } from './interactions.ts';
import { escape, hidden, layout, problemLine } from '../http/layout.ts';
import { passkeyButton, signInPage } from './passkey-button.ts';

/** `/u/login`: e-mail and password, or a passkey where the browser has one. */
export const loginPage: Page = async (visit) => {
  const { form, parts } = visit;
  if (form === undefined)
    return show(
      visit,
      200,
      undefined,
      requested(visit, 'screen_hint') === 'signup' ? 'signup' : 'login',
    );
  if (form['action'] === 'cancel')
    return fail(visit, 'access_denied', 'User has canceled the interaction.');
  const user = form['authn_response']
    ? await byPasskey(visit, form)
    : byPassword(parts.state, form);
  if (user === undefined)
    return show(
      visit,
      400,
      form['authn_response'] ? 'We could not verify your passkey' : 'Wrong email or password',
    );
  return signIn(visit, user);
};

function byPassword(
  state: State,
  { username = '', password = '' }: Record<string, string>,
): UserRecord | undefined {
  const user = state.users.named(username);
  const hash = user?.methods.find(({ view }) => view.type === 'password')?.secrets.passwordHash;
  return passwordMatches(password, hash) ? user : undefined;
}

async function byPasskey(
  { passkeys }: Visit,
  { auth_session = '', authn_response }: Record<string, string>,
): Promise<UserRecord | undefined> {
  return passkeys.finish(signInPage, auth_session, authn_response).catch(() => undefined);
}

/** `/u/signup`: a new user, who is signed in at once. Their e-mail is not verified. */
export const signupPage: Page = async (visit) => {
  const { form, parts } = visit;
  if (form === undefined) return show(visit, 200, undefined, 'signup');
  const parsed = newUserSchema.safeParse({
    email: form['email'],
    password: form['password'],
    email_verified: false,
  });
  const minimum = parts.state.settings().password_policy.min_length;
  if (
    !parsed.success ||
    (form['password'] ?? '').length < minimum ||
    parts.state.users.named(form['email'] ?? '') !== undefined
  ) {
    return show(
      visit,
      400,
      'Something went wrong: is the e-mail address new and the password long enough?',
      'signup',
    );
  }
  const user = newUser(parsed.data, parts.state.clock);
  parts.state.users.add(user);
  return signIn(visit, user);
};

/**
 * Ends the visit as this user; whether they are blocked or denied is judged after it, as at Auth0.
 */
async function signIn(visit: Visit, user: UserRecord): Promise<void> {
  const { parts, interaction } = visit;
  const organization = requested(visit, 'organization');
  if (organization !== undefined && !user.organizations.includes(organization)) {
    return fail(
      visit,
      'access_denied',
      `user ${user.user_id} is not part of the ${organization} organization`,
    );
  }
  // A sign-in with the password starts over: what was proved before in this browser does not count
  // for it.
  parts.logins.mfaBySession.delete(interaction.session?.uid ?? '');
  if (
    interaction.session?.accountId !== undefined &&
    interaction.session.accountId !== user.user_id
  ) {
    const session = await visit.provider.Session.findByUid(interaction.session.uid);
    await session?.destroy();
    delete interaction.session;
  }
  return finish(visit, {
    login: { accountId: user.user_id, ts: Math.floor(Date.now() / 1000), remember: true },
    select_account: {},
  });
}

async function show(
  visit: Visit,
  status: number,
  problem?: string,
  kind: 'login' | 'signup' = 'login',
): Promise<void> {
  const { interaction, response, form, passkeys, origin } = visit;
  const typed = form?.['username'] ?? form?.['email'] ?? requested(visit, 'login_hint') ?? '';
  const state = encodeURIComponent(interaction.uid);
  const name = kind === 'login' ? 'username' : 'email';
  const other =
    kind === 'login'
      ? `<a href="/u/signup?state=${state}">Sign up</a>`
      : `<a href="/u/login?state=${state}">Log in instead</a>`;
  const body = `${problemLine(problem)}
<form method="post" action="/u/${kind}">
${hidden('state', interaction.uid)}
<label for="username">Email address</label>
<input id="username" name="${name}" type="text" inputmode="email" autocomplete="username" value="${escape(typed)}" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="${kind === 'login' ? 'current-password' : 'new-password'}" required>
<button type="submit" name="action" value="default">Continue</button>
<button type="submit" class="quiet" name="action" value="cancel" formnovalidate>Cancel</button>
${kind === 'login' ? await passkeyButton(passkeys, origin) : ''}
</form>
<p>${other}</p>`;
  sendPage(response, status, layout(kind === 'login' ? 'Welcome' : 'Sign up', body));
}
