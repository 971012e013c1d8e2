/** The settings that are held against each other, as far as each was found right by itself. */
interface Checked {
  readonly AUTH0_REFRESH_MODE?: 'offline' | 'online' | undefined;
  readonly AUTH0_SCOPE?: string | undefined;
  readonly AUTH0_REQUEST_OBJECTS?: boolean | undefined;
  readonly INSTANCES?: number | undefined;
  readonly SESSION_IDLE_TIMEOUT?: number | undefined;
  readonly SESSION_ABSOLUTE_TIMEOUT?: number | undefined;
  readonly DRAIN_SECONDS?: number | undefined;
  readonly TOKEN_EXCHANGE_TIMEOUT?: number | undefined;
}

// Auth0 refuses both scopes together, and gives no refresh token for none.
const mixedAccess = ({ AUTH0_REFRESH_MODE: mode, AUTH0_SCOPE: scope }: Checked): string[] => {
  if (mode === undefined || scope === undefined) return [];
  const has = (name: string): boolean => scope.split(' ').includes(name);
  if (has('online_access') && has('offline_access'))
    return [
      'AUTH0_SCOPE has online_access and offline_access, which Auth0 refuses together: keep the one of AUTH0_REFRESH_MODE',
    ];
  if (mode === 'online' && !has('online_access'))
    return [
      'AUTH0_SCOPE lacks online_access, which AUTH0_REFRESH_MODE=online needs: write it in the place of offline_access',
    ];
  if (mode === 'offline' && has('online_access'))
    return [
      'AUTH0_REFRESH_MODE is offline and AUTH0_SCOPE has online_access: set it to online, or ask for offline_access',
    ];
  return [];
};

/** Returns what two or more settings contradict each other in, a sentence with its mend for each. */
export const contradictions = (
  given: Record<string, string | undefined>,
  found: Checked,
): string[] => {
  const problems: string[] = [];
  const set = (name: string): boolean => (given[name] ?? '') !== '';
  const either = set('AUTH0_CLIENT_SECRET') || set('AUTH0_CLIENT_ASSERTION_SIGNING_KEY');
  if (!either)
    problems.push(
      'AUTH0_CLIENT_SECRET or AUTH0_CLIENT_ASSERTION_SIGNING_KEY is missing: the gateway authenticates itself with one of them',
    );
  if (
    set('AUTH0_REQUEST_OBJECTS') &&
    found.AUTH0_REQUEST_OBJECTS === true &&
    !set('AUTH0_CLIENT_ASSERTION_SIGNING_KEY')
  )
    problems.push('AUTH0_REQUEST_OBJECTS needs AUTH0_CLIENT_ASSERTION_SIGNING_KEY to sign with');
  if (set('WEB_ROOT') && set('WEB_ORIGIN'))
    problems.push('WEB_ROOT and WEB_ORIGIN are both set: keep the folder or the dev server');
  if ((found.INSTANCES ?? 1) > 1 && !set('REDIS_URL'))
    problems.push(
      'INSTANCES is more than one and REDIS_URL is missing: several gateways share sessions and budget through Redis only',
    );
  const { SESSION_IDLE_TIMEOUT: idle, SESSION_ABSOLUTE_TIMEOUT: absolute } = found;
  if (
    idle !== undefined &&
    absolute !== undefined &&
    set('SESSION_IDLE_TIMEOUT') &&
    idle > absolute
  )
    problems.push(
      'SESSION_IDLE_TIMEOUT is longer than SESSION_ABSOLUTE_TIMEOUT and could never be reached: shorten it',
    );
  const { DRAIN_SECONDS: drain = 0, TOKEN_EXCHANGE_TIMEOUT: exchange = 0 } = found;
  if (drain * 1000 <= exchange)
    problems.push(
      `DRAIN_SECONDS is not longer than TOKEN_EXCHANGE_TIMEOUT (${exchange} ms): a stop would end exchanges under way and their sessions with them; lengthen it, or shorten the other`,
    );
  problems.push(...mixedAccess(found));
  if (found.AUTH0_SCOPE?.split(' ').includes('openid') === false)
    problems.push('AUTH0_SCOPE lacks openid: sign-in needs it');
  return problems;
};
