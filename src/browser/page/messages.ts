import type { AuthenticationMethod, FactorType, OperationName } from '../index.ts';
import { ProblemError } from '../index.ts';

interface KindTexts {
  name: string;
  icon: string;
  /**
   * What it is good for, one line under its name where it can be added; absent where this page
   * cannot add it.
   */
  offer?: string;
  /** What goes with it when it is removed. */
  loss: string;
}

/** How each kind of method is called here. */
export const kindTexts: Record<FactorType, KindTexts> = {
  passkey: {
    name: 'Passkey',
    icon: 'key',
    offer: 'Sign in with your fingerprint, face or screen lock',
    loss: 'You can no longer sign in with this passkey.',
  },
  totp: {
    name: 'Authenticator app',
    icon: 'app',
    offer: 'Codes from an app on your phone, also offline',
    loss: 'Codes from this app will no longer be accepted.',
  },
  'push-notification': {
    name: 'Push notification',
    icon: 'bell',
    offer: 'Approve a sign-in with one tap in the Guardian app',
    loss: 'This device will no longer be asked to approve sign-ins.',
  },
  phone: {
    name: 'Phone',
    icon: 'phone',
    offer: 'Codes by text message or call',
    loss: 'Codes will no longer be sent to this number.',
  },
  email: {
    name: 'Email',
    icon: 'mail',
    offer: 'Codes sent to an email address',
    loss: 'Codes will no longer be sent to this address.',
  },
  'recovery-code': {
    name: 'Recovery code',
    icon: 'lifebuoy',
    offer: 'One code to keep safe, for when all else is lost',
    loss: 'The code you wrote down will no longer work.',
  },
  password: { name: 'Password', icon: 'lock', loss: 'You can no longer sign in with a password.' },
  'webauthn-roaming': {
    name: 'Security key',
    icon: 'usb',
    loss: 'This key will no longer be accepted.',
  },
  'webauthn-platform': {
    name: 'Device biometrics',
    icon: 'key',
    loss: 'This device will no longer be accepted.',
  },
};

/** What the user would call this method: the name they gave it, or what kind it is. */
export const titleOf = (method: AuthenticationMethod): string =>
  ('name' in method && method.name) || kindTexts[method.type].name;

/** Providers by the name that Auth0's own connections and strategies have. */
const providers: Readonly<Record<string, string>> = {
  'google-oauth2': 'Google',
  windowslive: 'Microsoft',
  waad: 'Microsoft',
  apple: 'Apple',
  github: 'GitHub',
  facebook: 'Facebook',
  linkedin: 'LinkedIn',
  slack: 'Slack',
  'sign-in-with-slack': 'Slack',
  dropbox: 'Dropbox',
  salesforce: 'Salesforce',
  box: 'Box',
};

/** What people call a provider; one that is not known here is called as the tenant does. */
export const providerName = (connection: string): string =>
  Object.hasOwn(providers, connection)
    ? (providers[connection] ?? connection)
    : connection
        .split(/[\s_-]+/)
        .filter((word) => word !== '')
        .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
        .join(' ') || connection;

/** What the user is about to do, to follow "To ..." */
export const purposes: Partial<Record<OperationName, string>> = {
  'authenticationMethods.create': 'add a way to sign in',
  'authenticationMethods.verify': 'finish adding a way to sign in',
  'authenticationMethods.update': 'rename a way to sign in',
  'authenticationMethods.delete': 'remove a way to sign in',
  'connectedAccounts.connect': 'connect an account',
  'connectedAccounts.delete': 'disconnect an account',
};

const again = (problem: ProblemError): string =>
  problem.retryAfterSeconds === undefined
    ? 'Try again in a moment.'
    : `Try again in ${problem.retryAfterSeconds} second${problem.retryAfterSeconds === 1 ? '' : 's'}.`;

/** What each failure means to the person in front of the page, by its code. */
const sentences: Record<string, (problem: ProblemError) => string> = {
  rate_limited: (problem) =>
    `You have done as much as is allowed for the moment. ${again(problem)}`,
  http_429: (problem) => `You have done as much as is allowed for the moment. ${again(problem)}`,
  tenant_busy: (problem) => `Many people are here right now. ${again(problem)}`,
  store_unavailable: (problem) =>
    `The service is catching its breath. You are still signed in. ${again(problem)}`,
  unreachable: () => 'The service could not be reached. Check your connection and try again.',
  upstream_unreachable: () =>
    'Auth0 could not be reached. Nothing was lost here; try again in a moment.',
  upstream_timeout: () =>
    'Auth0 did not answer in time. If you were changing something, reload the list before you try again.',
  outcome_unknown: () =>
    'It is not known whether that was done. Reload the list to see before you try again.',
  step_up_required: () => 'It could not be confirmed that it is you, so nothing was changed.',
  forbidden: (problem) => problem.detail,
  cross_site_request: () =>
    'This request was refused because it did not look like it came from this page. Reload and try again.',
  http_409: () => 'That is not possible right now. It may be the last way you have to sign in.',
  http_404: () => 'It is no longer there. Reload the list to see what is.',
  http_400: (problem) =>
    problem.validationErrors?.map(({ detail }) => detail).join('. ') || problem.detail,
};

/** One or two sentences for any failure; what is unknown keeps the service's own words. */
export function explain(error: unknown): string {
  if (!(error instanceof ProblemError))
    return 'Something went wrong on this page. Reload it and try again.';
  const sentence = sentences[error.code] ?? sentences[`http_${error.status}`];
  return sentence?.(error) ?? `${error.detail} (${error.code})`;
}
