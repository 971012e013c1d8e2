import { readSettings, SettingsError } from '../config/settings.ts';
import { createAuth0 } from './gateway/auth0/client.ts';
import { createRedis } from './gateway/redis/client.ts';
import { examineRedis } from './gateway/redis/health.ts';

const connectMs = 2_500;

const examineStore = async (url: string, say: (line: string) => void): Promise<boolean> => {
  let reason = 'it does not answer';
  const redis = createRedis(
    { url },
    {
      info: () => undefined,
      warn: (fields, message) =>
        (reason = 'reason' in fields ? `${message} (${String(fields.reason)})` : message),
    },
  );
  try {
    const found =
      (await redis.opened(connectMs)) && (await examineRedis(redis).catch(() => false as const));
    if (found === false) {
      say(`FAIL  REDIS_URL: ${reason}`);
      return false;
    }
    for (const { fatal, text } of found) say(`${fatal ? 'FAIL' : 'note'}  REDIS_URL: ${text}`);
    const serves = found.every(({ fatal }) => !fatal);
    if (serves) say('ok    Redis answers');
    return serves;
  } finally {
    await redis.close();
  }
};

/** Checks the settings and what the tenant publishes, says each finding on a line of its own, and answers the exit code: 0 when nothing is wrong. */
export const examine = async (
  environment: Record<string, string | undefined>,
  say: (line: string) => void,
): Promise<number> => {
  let settings;
  try {
    settings = readSettings(environment);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    say(error.message);
    return 1;
  }
  say('ok    the settings are complete');
  const callback = `${settings.APP_BASE_URL}/auth/callback`;
  const auth0 = createAuth0({
    domain: settings.AUTH0_DOMAIN,
    clientId: settings.AUTH0_CLIENT_ID,
    clientSecret: settings.AUTH0_CLIENT_SECRET,
    signingKey: settings.AUTH0_CLIENT_ASSERTION_SIGNING_KEY,
    signingAlg: settings.AUTH0_CLIENT_ASSERTION_SIGNING_ALG,
    callback,
    pushed: settings.AUTH0_PUSHED_AUTHORIZATION_REQUESTS,
    requestObjects: settings.AUTH0_REQUEST_OBJECTS,
    idTokenAlgorithms: settings.ID_TOKEN_ALGORITHMS,
    answerTimeoutMs: settings.UPSTREAM_ANSWER_TIMEOUT,
    exchangeTimeoutMs: settings.TOKEN_EXCHANGE_TIMEOUT,
    clockDiffers(seconds) {
      say(
        `note  this machine's clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'behind' : 'ahead of'} that of Auth0: set it (NTP)`,
      );
    },
  });
  let metadata;
  try {
    metadata = await auth0.metadata();
  } catch {
    say(
      `FAIL  ${settings.AUTH0_DOMAIN} does not answer as an Auth0 tenant: is the domain right, and can this machine reach it?`,
    );
    return 1;
  }
  say(`ok    ${settings.AUTH0_DOMAIN} answers, and names itself as configured`);
  const offers = (name: string): boolean => typeof metadata[name] === 'string';
  say(
    offers('end_session_endpoint')
      ? 'ok    RP-initiated logout is on'
      : 'note  RP-initiated logout is off for this tenant: /v2/logout is used instead',
  );
  say(
    offers('pushed_authorization_request_endpoint')
      ? 'ok    pushed authorization requests are offered'
      : 'note  pushed authorization requests are not offered',
  );
  if (settings.REDIS_URL === undefined)
    say('note  without REDIS_URL sessions and limits live in one process');
  else if (!(await examineStore(settings.REDIS_URL, say))) return 1;
  say(
    `next  allow ${callback} (and ${settings.APP_BASE_URL}/auth/connect/callback for connected accounts) as callback URL, and ${settings.APP_BASE_URL}/ as logout URL of the application,`,
  );
  say(
    `      activate the My Account API, and give the application a client grant for ${auth0.audience}`,
  );
  return 0;
};
