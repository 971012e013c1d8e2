import { createCipheriv, randomBytes } from 'node:crypto';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { newTicket, readTicket } from '../../src/gateway/session/ticket.ts';
import { freePort, openStage } from './stage.ts';
import type { Table } from '../table.ts';
import { openSessions } from './open.ts';

const scope =
  'openid profile email offline_access read:me:authentication_methods read:me:factors read:me:connected_accounts';

/** A JSON Web Token of this many characters or one less, as far as its size goes. */
export const tokenOf = (length: number): string => {
  const header = Buffer.from('{"alg":"RS256","typ":"JWT","kid":"0123456789abcdefghijk"}').toString(
    'base64url',
  );
  const signature = randomBytes(256).toString('base64url');
  // Whole bytes, as a real payload has them: a text that no bytes encode to would be kept as it is.
  const payload = randomBytes(
    Math.floor(((length - header.length - signature.length - 2) * 3) / 4),
  ).toString('base64url');
  return `${header}.${payload}.${signature}`;
};

/** What a stored session takes in Redis (MEMORY USAGE), beside express-session's JSON in the clear and sealed the usual way, with the same tokens. */
export const storage = async (): Promise<Table> => {
  const stage = openStage();
  const port = await freePort();
  stage.redis(['--port', String(port)]);
  const redis = createRedis(
    { url: `redis://127.0.0.1:${port}`, keyPrefix: '' },
    { info: () => undefined, warn: () => undefined },
  );
  try {
    await redis.opened(5_000);
    const sessions = openSessions(redis, 'https://tenant.eu.auth0.com/', 'x'.repeat(32));
    const [access, id, refresh] = [
      tokenOf(1_229),
      tokenOf(1_024),
      randomBytes(48).toString('base64url'),
    ];
    const sub = 'auth0|507f1f77bcf86cd799439011';
    const ticket = newTicket();
    await sessions.begin(
      ticket,
      (now) => ({
        sub,
        sid: randomBytes(24).toString('base64url'),
        authTime: Math.floor(now / 1000),
        idToken: id,
        refreshToken: refresh,
        tokens: [
          {
            audience: 'https://tenant.eu.auth0.com/me/',
            scope: scope.split(' '),
            value: access,
            expiresAt: now,
            renewAt: now,
          },
        ],
      }),
      { device: 'Firefox on Windows' },
    );
    const usual = JSON.stringify({
      cookie: {
        originalMaxAge: 86_400_000,
        expires: new Date().toISOString(),
        secure: true,
        httpOnly: true,
        path: '/',
        sameSite: 'lax',
      },
      user: {
        sub,
        name: 'A Name',
        email: 'name@example.com',
        picture: 'https://cdn.example.com/a.png',
        updated_at: new Date().toISOString(),
      },
      tokens: {
        access_token: access,
        id_token: id,
        refresh_token: refresh,
        expires_at: Date.now(),
        scope,
        token_type: 'Bearer',
      },
    });
    const cipher = createCipheriv('aes-256-gcm', randomBytes(32), randomBytes(12));
    const sealed = Buffer.concat([
      randomBytes(12),
      cipher.update(usual),
      cipher.final(),
      cipher.getAuthTag(),
    ]).toString('base64');
    const used = async (key: string): Promise<number> =>
      Number(await redis.command('MEMORY', 'USAGE', key));
    await redis.command('SET', 'sess:in-the-clear', usual, 'EX', 86_400);
    await redis.command('SET', 'sess:sealed-usual', sealed, 'EX', 86_400);
    const { key } = readTicket(ticket) ?? { key: '' };
    return {
      title: 'Bytes per stored session',
      about:
        'MEMORY USAGE of Redis for one session with an access token of 1,229 characters, an ID token of 1,024 and a refresh token of 64. Target: at most 2,200.',
      columns: ['arrangement', 'bytes'],
      rows: [
        ['this gateway: sealed with a key that needs the cookie', await used(`session:${key}`)],
        ['express-session JSON in the clear', await used('sess:in-the-clear')],
        ['express-session JSON, AES-256-GCM, base64', await used('sess:sealed-usual')],
      ],
    };
  } finally {
    await redis.close();
    stage.end();
  }
};
