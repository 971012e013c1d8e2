// The client library of the gateway's front end: `import { createClient } from
// 'my-account-bff/browser'`.
import { createClientIn, type Client, type ClientOptions, type Environment } from './client.ts';
import { openPopup } from './popup.ts';

export type * from './account-profile.ts';
export type * from './api.ts';
export type { CallOptions } from './calls.ts';
export type { Client, ClientOptions, Resumed } from './client.ts';
export { ProblemError, type Problem } from './problem.ts';
export type * from './session.ts';
export type { StepUpAsked, StepUpChoice } from './step-up.ts';
export type { Waiting } from './wait.ts';

const pause: Environment['pause'] = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('The wait was given up', 'AbortError'));
    });
  });

/**
 * A client for the gateway this page comes from. It holds no token and stores none; what it keeps
 * over a step-up is the user's own request, in this tab's `sessionStorage`, never a code, a
 * password or a proof. `fetch` and `navigate` take the place of the browser's.
 */
export function createClient(
  options: ClientOptions & { fetch?: typeof fetch; navigate?: (url: string) => void } = {},
): Client {
  return createClientIn(
    {
      here: () => location.href,
      navigate:
        options.navigate ??
        ((url) => {
          location.assign(url);
        }),
      showUrl: (url) => {
        history.replaceState(history.state, '', url);
      },
      popup: openPopup,
      passkeyRemoved: (rpId, credentialId) => {
        // Where there is no such call the passkey stays in the user's list, and no longer works.
        const has =
          'PublicKeyCredential' in globalThis && 'signalUnknownCredential' in PublicKeyCredential;
        if (!has) return;
        PublicKeyCredential.signalUnknownCredential({ rpId, credentialId }).catch(() => undefined);
      },
      storage: sessionStorage,
      fetch: options.fetch ?? fetch.bind(globalThis),
      pause,
      now: () => Date.now(),
    },
    options,
  );
}
