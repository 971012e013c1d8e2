import {
  candidates,
  challengePaths,
  mfaPath,
  type Candidate,
  type Kind,
} from '../second-factor/kinds.ts';
import { proveOtp, proveRecovery, sendCode, used, type Proof } from '../second-factor/prove.ts';
import type { UserRecord } from '../state/users.ts';
import { redirect, sendPage } from '../http/answer.ts';
import { fail, finish, type Page, type Visit } from './interactions.ts';
import { escape, hidden, layout, problemLine } from '../http/layout.ts';

/** A page that asks for one kind of second factor. */
export function challengePage(kind: Kind): Page {
  return async (visit) => {
    const user = visit.parts.state.users.get(visit.interaction.session?.accountId ?? '');
    const candidate = user && candidates(user).find((one) => one.kind === kind);
    if (user === undefined || candidate === undefined) {
      const reasons = visit.interaction.prompt.reasons;
      redirect(
        visit.response,
        `${mfaPath(user, reasons)}?state=${encodeURIComponent(visit.interaction.uid)}`,
      );
      return;
    }
    if (visit.form?.['action'] === 'cancel')
      return fail(visit, 'access_denied', 'User has canceled the interaction.');
    const sent =
      visit.form === undefined || visit.form['action'] === 'resend'
        ? start(visit, user, candidate)
        : 'kept';
    if (sent !== 'kept') {
      show(
        visit,
        user,
        kind,
        sent === 'limited' ? 'Too many codes were asked for. Try again later.' : undefined,
      );
      return;
    }
    const code = visit.form?.['code'] ?? '';
    const { proof, next } = prove(visit, user, candidate, code);
    if (proof === 'proved') return passed(visit, next);
    const texts = {
      wrong: wrongText[kind],
      limited: 'We have received too many attempts. Try again later.',
    };
    show(visit, user, kind, texts[proof]);
  };
}

const wrongText: Readonly<Record<Kind, string>> = {
  otp: 'The code you entered is invalid',
  sms: 'The code you entered is invalid',
  email: 'The code you entered is invalid',
  recovery: 'The recovery code you entered is invalid',
  push: 'The request has not been accepted yet',
};

/**
 * Ends an MFA visit: the transaction, and the browser session, know when a second factor was
 * proved.
 */
export async function passed(visit: Visit, recoveryCode?: string): Promise<void> {
  const { parts, interaction } = visit;
  if (interaction.session !== undefined)
    parts.logins.mfaBySession.set(interaction.session.uid, parts.state.clock.now());
  await finish(visit, {
    mfa: { ...(recoveryCode === undefined ? {} : { recovery_code_renewed: true }) },
  });
}

function start(
  { parts, pushes, interaction }: Visit,
  user: UserRecord,
  candidate: Candidate,
): 'sent' | 'limited' {
  if (candidate.kind === 'otp' || candidate.kind === 'recovery') return 'sent';
  const code = sendCode(parts.state, user, candidate, interaction.uid);
  if (candidate.kind === 'push') pushes.ask(interaction.uid, user.user_id);
  return code === undefined ? 'limited' : 'sent';
}

function prove(
  { parts, pushes, interaction }: Visit,
  user: UserRecord,
  candidate: Candidate,
  code: string,
): { proof: Proof; next?: string } {
  const { state } = parts;
  if (candidate.kind === 'otp') return { proof: proveOtp(state, user, code) };
  if (candidate.kind === 'recovery') return proveRecovery(state, user, code);
  if (candidate.kind === 'push')
    return {
      proof: pushes.state(interaction.uid) === 'approved' ? used(state, candidate) : 'wrong',
    };
  const sent = state.messages
    .list(user.user_id)
    .findLast((message) => message.reference === interaction.uid);
  return {
    proof: sent !== undefined && sent.code === code.trim() ? used(state, candidate) : 'wrong',
  };
}

const titles: Readonly<Record<Kind, [string, string]>> = {
  otp: ['Verify Your Identity', 'Check your preferred one-time password application for a code.'],
  sms: ['Verify Your Identity', 'We sent a text message with a 6-digit code.'],
  email: ['Verify Your Identity', 'We sent an email with a 6-digit code.'],
  push: ['Verify Your Identity', 'Accept the notification on your device, then continue.'],
  recovery: ['Verify Your Identity', 'Enter the recovery code you were provided with.'],
};

function show(
  { interaction, response }: Visit,
  user: UserRecord,
  kind: Kind,
  problem?: string,
): void {
  const [title, text] = titles[kind];
  const state = encodeURIComponent(interaction.uid);
  const field =
    kind === 'push'
      ? ''
      : `<label for="code">${kind === 'recovery' ? 'Recovery code' : 'Code'}</label>
<input id="code" name="code" type="text" ${kind === 'recovery' ? '' : 'inputmode="numeric" '}autocomplete="one-time-code" required autofocus>`;
  const resend = ['sms', 'email', 'push'].includes(kind)
    ? '<button type="submit" class="quiet" name="action" value="resend" formnovalidate>Send again</button>'
    : '';
  const others = candidates(user)
    .filter((other) => other.kind !== kind)
    .map(
      (other) =>
        `<a href="${challengePaths[other.kind]}?state=${state}">Use ${escape(other.kind)}</a>`,
    );
  const body = `${problemLine(problem)}<p>${text}</p>
<form method="post" action="${challengePaths[kind]}">
${hidden('state', interaction.uid)}${field}
<button type="submit" name="action" value="default">Continue</button>${resend}
<button type="submit" class="quiet" name="action" value="cancel" formnovalidate>Cancel</button>
</form>${others.length > 0 ? `<p>Another way: ${others.join(', ')}</p>` : ''}`;
  sendPage(response, problem === undefined ? 200 : 400, layout(title, body));
}
