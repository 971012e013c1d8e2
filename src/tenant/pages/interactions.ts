import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import type { InteractionResults } from 'oidc-provider';
import type { Parts } from '../oidc/context.ts';
import type { Passkeys } from '../embedded/passkeys.ts';
import type { Pushes } from '../second-factor/push.ts';
import { readMembers } from '../http/body.ts';
import { redirect, sendPage } from '../http/answer.ts';
import { layout } from '../http/layout.ts';

type Interaction = InstanceType<Provider['Interaction']>;

/** One visit to a sign-in page: what is under way and what was typed. */
export interface Visit {
  parts: Parts;
  pushes: Pushes;
  passkeys: Passkeys;
  /** The origin of the page. */
  origin: string;
  provider: Provider;
  interaction: Interaction;
  /** What a POST brought; undefined on GET. */
  form: Record<string, string> | undefined;
  request: IncomingMessage;
  response: ServerResponse;
}

/** Shows or answers one sign-in page. */
export type Page = (visit: Visit) => Promise<void> | void;

/**
 * Finds the interaction named by `state` and hands it to the page; one that is unknown or over gets
 * a readable page and 400.
 */
export async function visitPage(
  page: Page,
  { request, response, ...rest }: Omit<Visit, 'interaction' | 'form'>,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://tenant');
  const members = request.method === 'POST' ? await readMembers(request) : undefined;
  const form =
    members &&
    Object.fromEntries(Object.entries(members).map(([name, value]) => [name, String(value)]));
  const interaction = await rest.provider.Interaction.find(
    form?.['state'] ?? url.searchParams.get('state') ?? '',
  );
  if (interaction === undefined) {
    const text =
      '<p>This sign-in has expired or was finished already. Go back to the application and try again.</p>';
    sendPage(response, 400, layout('Sign-in expired', text));
    return;
  }
  await page({ ...rest, interaction, form, request, response });
}

/** Ends the visit with a result and sends the browser on to the authorization endpoint. */
export async function finish(
  { interaction, response }: Visit,
  result: InteractionResults,
): Promise<void> {
  interaction.result = { ...interaction.lastSubmission, ...result };
  await interaction.persist();
  redirect(response, interaction.returnTo);
}

/** Ends the authorization request with an OAuth error at the application's callback. */
export async function fail(
  { interaction, response }: Visit,
  error: string,
  description: string,
): Promise<void> {
  interaction.result = { error, error_description: description };
  await interaction.persist();
  redirect(response, interaction.returnTo);
}

/** A parameter of the authorization request. */
export function requested({ interaction }: Visit, name: string): string | undefined {
  const value = interaction.params[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
