import type { AuthenticationMethod, Client, Enrolment, NewMethod } from '../../index.ts';
import { openDialog, field } from '../dialog.ts';
import { el } from '../dom.ts';
import { codeField, codeMaxWait, explainCode } from './code.ts';

/** Asks for the email address; answers the enrolment begun with it, or undefined. */
export async function beginEmail(client: Client): Promise<Enrolment | undefined> {
  const { row, input } = field('Email address', {
    type: 'email',
    'data-test': 'email-address',
    autocomplete: 'email',
    required: true,
    autofocus: true,
  });
  let begun: Enrolment | undefined;
  await openDialog({
    title: 'Add an email address',
    test: 'email-dialog',
    content: [el('p', {}, 'We send a code to it, to see that it is yours.'), row],
    submit: { label: 'Send a code', test: 'email-send' },
    check: () =>
      input.validity.valid
        ? undefined
        : { message: 'Enter an email address, such as name@example.com.', field: input },
    run: async (signal) => {
      begun = await client.authenticationMethods.create(
        { type: 'email', email: input.value.trim() },
        { signal },
      );
    },
  });
  return begun;
}

/**
 * Asks for the phone number and how to reach it; answers the enrolment begun with it, or undefined.
 */
export async function beginPhone(client: Client): Promise<Enrolment | undefined> {
  const { row, input } = field(
    'Phone number',
    {
      type: 'tel',
      'data-test': 'phone-number',
      autocomplete: 'tel',
      required: true,
      autofocus: true,
    },
    'With the country code, such as +1 202 555 0147.',
  );
  const way = (value: 'sms' | 'voice', label: string): HTMLElement =>
    el(
      'label',
      { class: 'check' },
      el('input', {
        type: 'radio',
        name: 'way',
        value,
        checked: value === 'sms',
        'data-test': `phone-${value}`,
      }),
      el('span', {}, label),
    );
  const ways = el(
    'fieldset',
    {},
    el('legend', {}, 'How should codes reach you?'),
    way('sms', 'Text message'),
    way('voice', 'Call'),
  );
  const number = (): string => input.value.replaceAll(/[\s().-]/g, '');
  let begun: Enrolment | undefined;
  await openDialog({
    title: 'Add a phone',
    test: 'phone-dialog',
    content: [row, ways],
    submit: { label: 'Send a code', test: 'phone-send' },
    check: () =>
      /^\+[1-9]\d{6,14}$/.test(number())
        ? undefined
        : { message: 'Enter the number with its country code, beginning with +.', field: input },
    run: async (signal) => {
      const voice = ways.querySelector<HTMLInputElement>('input[value=voice]')?.checked === true;
      const body: NewMethod = {
        type: 'phone',
        phone_number: number(),
        preferred_authentication_method: voice ? 'voice' : 'sms',
      };
      begun = await client.authenticationMethods.create(body, { signal });
    },
  });
  return begun;
}

/** Confirms an email address or a phone with the code that was sent to it. */
export async function finishMessage(
  client: Client,
  type: 'email' | 'phone',
  { id, auth_session }: Enrolment,
): Promise<AuthenticationMethod | undefined> {
  const code = codeField(`${type}-code`);
  let added: AuthenticationMethod | undefined;
  await openDialog({
    title: type === 'email' ? 'Check your mail' : 'Check your phone',
    test: `${type}-code-dialog`,
    content: [el('p', {}, 'We sent a code. It can take a minute to arrive.'), code.row],
    submit: { label: 'Confirm', test: `${type}-confirm` },
    check: code.check,
    explain: explainCode('Check the digits, or start again for a new code.'),
    run: async (signal) => {
      added = await client.authenticationMethods.verify(
        id,
        { auth_session, otp_code: code.value() },
        { signal, waitAtMost: codeMaxWait * 4 },
      );
    },
  });
  return added;
}
