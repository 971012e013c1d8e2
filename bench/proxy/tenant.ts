import { createHmac, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { newTicket } from '../../src/gateway/session/ticket.ts';
import { createPerson, type Person } from '../../test/helpers/person.ts';
import { openSessions } from '../sessions/open.ts';
import { freePort, untilReady } from '../sessions/stage.ts';
import { tokenOf } from '../sessions/storage.ts';
import { cores, type Scene, startOn } from './scene.ts';

/** The application that every arrangement is at the tenant; each has a callback of its own. */
export const application = { id: 'bench', secret: 'a client secret of the benchmark' } as const;

/** What is asked for at every sign-in. */
export const signInScope =
  'openid profile email offline_access read:me:authentication_methods read:me:factors read:me:connected_accounts';

const who = { email: 'bench@example.com', password: 'password-of-the-benchmark' };

/** A tenant on this machine, with somebody who signs in for real: forms, code, callback. */
export interface BenchTenant {
  readonly url: string;
  /** Somebody at a browser before this origin who is signed in at the tenant already, so that a login there is redirects alone. */
  person(origin: string): Promise<Person>;
  /** Lets these addresses be called back to. */
  callbacks(addresses: readonly string[]): Promise<void>;
}

/** Starts it beside upstream and load. */
export const openTenant = async (scene: Scene): Promise<BenchTenant> => {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  scene.owns(
    startOn(cores.around, process.execPath, [
      'src/main.ts',
      'tenant',
      '--port',
      String(port),
      '--control',
    ]),
  );
  await untilReady(`${url}/.well-known/openid-configuration`);
  const send = async (method: string, path: string, body: object): Promise<void> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`the tenant refused ${path}: ${await answer.text()}`);
  };
  await send('POST', '/_control/users', who);
  let cookies: string[] | undefined;
  return {
    url,
    async person(origin) {
      const person = createPerson(origin, who);
      for (const cookie of cookies ?? []) await person.jar.setCookie(cookie, url);
      if (cookies === undefined) {
        const visit = person.visit;
        // The first one fills in the form; those after bring the tenant's cookies.
        return {
          ...person,
          async visit(address, options) {
            const shown = await visit(address, options);
            const back = await person.answerForms(shown);
            cookies = (await person.jar.getCookies(url)).map(String);
            return back;
          },
        };
      }
      return person;
    },
    async callbacks(addresses) {
      await send('PATCH', '/_control/settings', {
        limits: { enforced: false },
        clients: [
          {
            client_id: application.id,
            client_secret: application.secret,
            callbacks: addresses,
            grant_types: ['authorization_code', 'refresh_token'],
          },
        ],
        grants: [
          {
            client_id: application.id,
            scope: signInScope.split(' ').filter((scope) => scope.includes(':')),
          },
        ],
      });
    },
  };
};

/** Signs so many people in at an arrangement, through its own routes, and answers their cookies there. */
export const signIn = async (
  tenant: BenchTenant,
  origin: string,
  start: string,
  count: number,
): Promise<string[]> => {
  const cookies: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const person = await tenant.person(origin);
    const back = await person.visit(start);
    if (back.status !== 200 || new URL(back.url).origin !== origin)
      throw new Error(`signing in at ${origin} ended at ${back.url} with ${back.status}`);
    cookies.push(await person.jar.getCookieString(origin));
  }
  return cookies;
};

/** The secrets of the gateway and of the usual way while they are measured. */
export const secrets = {
  ours: 'the secret of the gateway that is measured',
  usual: 'the secret of the usual way',
} as const;

const scope =
  'openid profile email offline_access read:me:authentication_methods read:me:factors read:me:connected_accounts'.split(
    ' ',
  );
const quiet = { info: () => undefined, warn: () => undefined };
const signed = (key: string, value: string): string =>
  encodeURIComponent(
    `s:${value}.${createHmac('sha256', key).update(value).digest('base64').replace(/=+$/, '')}`,
  );
const tokens = () => ({
  access: tokenOf(1_229),
  id: tokenOf(1_024),
  refresh: randomBytes(48).toString('base64url'),
});

/** Sessions of the gateway, of people who signed in a moment ago, each with tokens of real size and form; answers their cookies. */
export const seedOurs = async (
  redisUrl: string,
  tenant: string,
  count: number,
): Promise<string[]> => {
  const redis = createRedis({ url: redisUrl }, quiet);
  await redis.opened(5_000);
  const sessions = openSessions(redis, `${tenant}/`, secrets.ours);
  const key = createHmac('sha256', secrets.ours)
    .update('my-account-bff cookie')
    .digest('base64url');
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
        tokens: [
          {
            audience: `${tenant}/me/`,
            scope,
            value: access,
            expiresAt: now + 3_600_000,
            renewAt: now + 3_500_000,
          },
        ],
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
      user: {
        sub: `auth0|${randomBytes(12).toString('hex')}`,
        name: 'A Name',
        email: 'name@example.com',
      },
      tokens: {
        access_token: access,
        id_token: id,
        refresh_token: refresh,
        expires_at: Date.now() + 3_600_000,
        scope: scope.join(' '),
      },
    };
    await redis.command('SET', `sess:${sid}`, JSON.stringify(kept), 'EX', 86_400);
    cookies.push(`usual=${signed(secrets.usual, sid)}`);
  }
  await redis.close();
  return cookies;
};

const program = '/usr/sbin/apache2';
const modules = '/usr/lib/apache2/modules';

/** Whether Apache and mod_auth_openidc are installed here, where Debian puts them. */
export const hasApache = existsSync(program) && existsSync(join(modules, 'mod_auth_openidc.so'));

const load = (name: string): string => `LoadModule ${name}_module ${modules}/mod_${name}.so`;

/** Starts Apache with mod_auth_openidc before the upstream, with a configuration and a folder of its own, sessions in Redis; it ends with the scene, by its id. */
export const startApache = async (
  scene: Scene,
  tenant: string,
): Promise<{ port: number; pid: number }> => {
  const port = await freePort();
  const folder = join(scene.folder, 'apache');
  mkdirSync(join(folder, 'web'), { recursive: true });
  writeFileSync(join(folder, 'web/up'), '');
  writeFileSync(join(folder, 'web/home'), 'home');
  // Its worker processes are another user's.
  chmodSync(scene.folder, 0o711);
  const redis = new URL(scene.redisUrl).host;
  const configuration = [
    `ServerRoot ${folder}`,
    `PidFile ${folder}/pid`,
    `DefaultRuntimeDir ${folder}`,
    `ErrorLog ${folder}/error.log`,
    'LogLevel warn',
    'ServerName localhost',
    `Listen 127.0.0.1:${port}`,
    `DocumentRoot ${folder}/web`,
    ...[
      'mpm_event',
      'authn_core',
      'authz_core',
      'authz_user',
      'auth_openidc',
      'proxy',
      'proxy_http',
      'headers',
    ].map(load),
    // Apache refuses to serve as root.
    ...(process.getuid?.() === 0 ? ['User www-data', 'Group www-data'] : []),
    'StartServers 1',
    'ServerLimit 1',
    'ThreadsPerChild 64',
    'ThreadLimit 64',
    'MaxRequestWorkers 64',
    'MinSpareThreads 1',
    'MaxSpareThreads 64',
    'MaxKeepAliveRequests 0',
    'KeepAliveTimeout 60',
    `OIDCProviderMetadataURL ${tenant}/.well-known/openid-configuration`,
    `OIDCClientID ${application.id}`,
    `OIDCClientSecret "${application.secret}"`,
    'OIDCProviderTokenEndpointAuth client_secret_post',
    `OIDCRedirectURI http://localhost:${port}/callback`,
    'OIDCCryptoPassphrase "the secret of Apache in the benchmark"',
    `OIDCScope "${signInScope}"`,
    `OIDCAuthRequestParams audience=${encodeURIComponent(`${tenant}/me/`)}`,
    'OIDCPKCEMethod S256',
    'OIDCSessionInactivityTimeout 86400',
    'OIDCCacheType redis',
    `OIDCRedisCacheServer ${redis}`,
    'OIDCPassClaimsAs environment',
    'ProxyPass /up !',
    'ProxyPass /home !',
    'ProxyPass /callback !',
    `ProxyPass / ${scene.upstream}/ keepalive=On`,
    '<Location />',
    '  AuthType openid-connect',
    '  Require valid-user',
    '  RequestHeader set Authorization "Bearer %{OIDC_access_token}e"',
    '  RequestHeader unset Cookie',
    '</Location>',
    '<Location /up>',
    '  AuthType None',
    '  Require all granted',
    '</Location>',
  ];
  writeFileSync(join(folder, 'apache.conf'), `${configuration.join('\n')}\n`);
  const child = startOn(cores.measured, program, [
    '-f',
    join(folder, 'apache.conf'),
    '-DFOREGROUND',
  ]);
  scene.owns(child);
  await untilReady(`http://127.0.0.1:${port}/up`);
  return { port, pid: child.pid ?? 0 };
};
