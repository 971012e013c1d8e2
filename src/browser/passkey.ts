import { ProblemError } from './problem.ts';

const isAddress = (host: string): boolean => /^(\d+\.){3}\d+$|^\[/.test(host);
const isLocal = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost');

const problem = (code: string, title: string, detail: string): ProblemError =>
  new ProblemError({ status: 0, code, title, detail });

/**
 * Returns why a browser would refuse to make a passkey of this relying party on the page at `page`
 * (WebAuthn Level 3, section 5.1.3), with the mend, or undefined when it would not: told before the
 * user is asked for a fingerprint. That another domain may list the page as related (section 5.11)
 * is not looked at: Auth0 serves no such list.
 */
export function passkeyProblem(rpId: string | undefined, page: string): ProblemError | undefined {
  const { hostname: host, protocol } = new URL(page);
  if (isAddress(host)) {
    return problem(
      'passkey_page_is_address',
      'Passkeys need a name',
      `A passkey cannot be made on a page at an IP address (${host}): open it by its name.`,
    );
  }
  if (protocol !== 'https:' && !isLocal(host)) {
    return problem(
      'passkey_page_not_secure',
      'Passkeys need https',
      `A passkey cannot be made over plain http: open https://${host}.`,
    );
  }
  // Without one the browser takes the page's own host.
  if (rpId === undefined) return undefined;
  const fits = host === rpId || host.endsWith(`.${rpId}`);
  if (fits && (rpId.includes('.') || isLocal(rpId))) return undefined;
  return problem(
    'passkey_other_domain',
    'The passkey would belong to another domain',
    `Auth0 makes passkeys for "${rpId}", which is neither ${host} nor a domain above it. ` +
      `In Auth0, Tenant Settings, Relying Party IDs: set ${host} or its parent domain, and add ` +
      `${new URL(page).origin} to the application's Allowed Origins (CORS).`,
  );
}
