import { createHmac, randomBytes } from 'node:crypto';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { newTicket } from '../../src/gateway/session/ticket.ts';
import { tokenOf } from '../sessions/storage.ts';
import { openSessions } from '../sessions/open.ts';

/** The secrets of the gateway and of the usual way while they are measured. */
export const secrets = { ours: 'the secret of the gateway that is measured', usual: 'the secret of the usual way' } as const;

const scope = 'openid profile email offline_access read:me:authentication_methods read:me:factors read:me:connected_accounts'.split(' ');
const quiet = { info: () => undefined, warn: () => undefined };
const signed = (key: string, value: string): string =>
  encodeURIComponent(`s:${value}.${createHmac('sha256', key).update(value).digest('base64').replace(/=+$/, '')}`);
const tokens = () => ({ access: tokenOf(1_229), id: tokenOf(1_024), refresh: randomBytes(48).toString('base64url') });

/** Sessions of the gateway, of people who signed in a moment ago, each with tokens of real size and form; answers their cookies. */
export const seedOurs = async (redisUrl: string, tenant: string, count: number): Promise<string[]> => {
  const redis = createRedis({ url: redisUrl }, quiet);
  await redis.opened(5_000);
  const sessions = openSessions(redis, `${tenant}/`, secrets.ours);
  const key = createHmac('sha256', secrets.ours).update('my-account-bff cookie').digest('base64url');
  const cookies: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const { access, id, refresh } = tokens();
    const ticket = newTicket();
    const sub = `auth0|${randomBytes(12).toString('hex')}`;
    await sessions.begin(
      ticket,
      (now) => ({
        sub,
        sid: randomBytes(24).toString('base64url'),
        authTime: Math.floor(now / 1_000),
        idToken: id,
        refreshToken: refresh,
        tokens: [{ audience: `${tenant}/me/`, scope, value: access, expiresAt: now + 3_600_000, renewAt: now + 3_500_000 }],
      }),
      { device: 'Firefox on Windows' },
    );
    cookies.push(`my_account_session=${signed(key, ticket)}`);
  }
  await redis.close();
  return cookies;
};

/** The same for express-session with its JSON in Redis. */
export const seedUsual = async (redisUrl: string, count: number): Promise<string[]> => {
  const redis = createRedis({ url: redisUrl, keyPrefix: '' }, quiet);
  await redis.opened(5_000);
  const cookies: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const { access, id, refresh } = tokens();
    const sid = newTicket();
    const kept = {
      cookie: {
        originalMaxAge: 86_400_000,
        expires: new Date(Date.now() + 86_400_000),
        secure: false,
        httpOnly: true,
        path: '/',
        sameSite: 'lax',
      },
      user: { sub: `auth0|${randomBytes(12).toString('hex')}`, name: 'A Name', email: 'name@example.com' },
      tokens: { access_token: access, id_token: id, refresh_token: refresh, expires_at: Date.now() + 3_600_000, scope: scope.join(' ') },
    };
    await redis.command('SET', `sess:${sid}`, JSON.stringify(kept), 'EX', 86_400);
    cookies.push(`usual=${signed(secrets.usual, sid)}`);
  }
  await redis.close();
  return cookies;
};
