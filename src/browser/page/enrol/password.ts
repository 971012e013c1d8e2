import type { AuthenticationMethod, Client, Enrolment, PasswordPolicy } from '../../index.ts';
import { openDialog, field } from '../dialog.ts';
import { el } from '../dom.ts';

const kinds = {
  uppercase: 'a capital',
  lowercase: 'a small letter',
  number: 'a digit',
  special: 'a special character',
};

/**
 * The rules of the tenant as sentences, so that a password is not refused for a rule nobody told.
 */
function rules({ complexity, profile_data, history, dictionary }: PasswordPolicy): string[] {
  const wanted = complexity.character_types.map((type) => kinds[type]).join(', ');
  return [
    `At least ${complexity.min_length} characters`,
    wanted !== '' &&
      (complexity.character_type_rule === 'all'
        ? `With ${wanted}`
        : `With three of these: ${wanted}`),
    complexity.identical_characters === 'block' && 'No character more than twice in a row',
    complexity.sequential_characters === 'block' && 'No runs such as 1234 or abcd',
    dictionary.active && 'None of the common passwords',
    profile_data.active && 'Nothing of your name or address',
    history.active && `None of your last ${history.size} passwords`,
  ].filter((rule) => rule !== false);
}

/** Asks for a new password under the tenant's rules and sets it. */
export async function finishPassword(
  client: Client,
  { id, auth_session, policy }: Enrolment,
): Promise<AuthenticationMethod | undefined> {
  const { row, input } = field('New password', {
    type: 'password',
    'data-test': 'new-password',
    autocomplete: 'new-password',
    maxlength: '256',
    required: true,
    autofocus: true,
  });
  const show = el('input', {
    type: 'checkbox',
    'data-test': 'show-password',
    onchange: () => {
      input.type = show.checked ? 'text' : 'password';
    },
  });
  const least = policy?.complexity.min_length ?? 1;
  let changed: AuthenticationMethod | undefined;
  await openDialog({
    title: 'Change your password',
    test: 'password-dialog',
    content: [
      row,
      el('label', { class: 'check' }, show, el('span', {}, 'Show it')),
      policy && el('ul', { class: 'rules' }, ...rules(policy).map((rule) => el('li', {}, rule))),
    ],
    submit: { label: 'Change password', test: 'password-confirm' },
    check: () =>
      input.value.length >= least
        ? undefined
        : { message: `It needs at least ${least} characters.`, field: input },
    run: async (signal) => {
      changed = await client.authenticationMethods.verify(
        id,
        { auth_session, new_password: input.value },
        { signal },
      );
    },
  });
  return changed;
}
