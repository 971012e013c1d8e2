import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { newTicket } from '../../src/gateway/session/ticket.ts';
import { createPerson } from '../../test/helpers/person.ts';
import type { Table } from '../table.ts';
import { eachOf, freePort, openStage, untilReady } from './stage.ts';
import { tokenOf } from './storage.ts';
import { openSessions } from './open.ts';

const secret = 'the secret of the gateway that is told of logouts';
const clientSecret = 'the-client-secret-of-the-logouts';
const password = 'Password-of-the-logouts-1';

const asJson = async (method: string, url: string, body: object): Promise<unknown> => {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${url}: ${String(answer.status)} ${await answer.text()}`);
  return answer.json();
};

/** Stands where the tenant sends its logout tokens, and keeps them: they are told to the gateway later, one after the other, with a watch beside. */
const startCatcher = async (): Promise<{ url: string; caught: string[]; server: Server }> => {
  const caught: string[] = [];
  const server = createServer((req, res) => {
    let text = '';
    req.setEncoding('utf8').on('data', (more: string) => (text += more));
    req.on('end', () => {
      caught.push(text);
      res.end();
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${port}/`, caught, server };
};

/** How long a gateway process takes to answer Auth0's logouts while a real Redis holds many sessions, which the tenant's own signed tokens name. */
export const logouts = async (quick: boolean, say: (line: string) => void): Promise<Table> => {
  const [stored, some] = quick ? [2_000, 10] : [100_000, 100];
  const largest = quick ? 100 : 1_000;
  const kinds = [
    { name: 'one session, by its `sid`', form: 'session', count: some, each: 1 },
    { name: 'all of a user with 5 sessions, by `sub`', form: 'sub', count: some, each: 5 },
    {
      name: `all of a user with ${largest.toLocaleString('en')} sessions, by \`sub\``,
      form: 'sub',
      count: quick ? 1 : 10,
      each: largest,
    },
  ] as const;
  const stage = openStage();
  const catcher = await startCatcher();
  const [tenantPort, redisPort, port] = [await freePort(), await freePort(), await freePort()];
  const [tenant, origin] = [`http://localhost:${tenantPort}`, `http://localhost:${port}`];
  const redis = createRedis(
    { url: `redis://127.0.0.1:${redisPort}` },
    { info: () => undefined, warn: () => undefined },
  );
  try {
    stage.redis(['--port', String(redisPort), '--bind', '127.0.0.1']);
    stage.program(['tenant', '--port', String(tenantPort), '--control']);
    await untilReady(`${tenant}/.well-known/openid-configuration`);
    const configure = async (form: string): Promise<unknown> =>
      asJson('PATCH', `${tenant}/_control/settings`, {
        limits: { enforced: false },
        clients: [
          {
            ...{
              client_id: 'logouts',
              client_secret: clientSecret,
              callbacks: [`${origin}/auth/callback`],
            },
            ...{ backchannel_logout_uri: catcher.url, backchannel_logout_form: form },
          },
        ],
        grants: [
          {
            client_id: 'logouts',
            scope: [
              'read:me:authentication_methods',
              'read:me:factors',
              'read:me:connected_accounts',
            ],
          },
        ],
      });
    await configure('session');
    stage.program(['start'], {
      ...{
        AUTH0_DOMAIN: tenant,
        AUTH0_CLIENT_ID: 'logouts',
        AUTH0_CLIENT_SECRET: clientSecret,
        AUTH0_SECRET: secret,
      },
      ...{
        APP_BASE_URL: origin,
        REDIS_URL: `redis://127.0.0.1:${redisPort}`,
        PORT: String(port),
        ADMIN_PORT: '0',
        LOG_LEVEL: 'silent',
      },
    });
    await untilReady(`${origin}/readyz`);

    const sessions = openSessions(redis, `${tenant}/`, secret);
    const [access, id, refresh] = [
      tokenOf(1_229),
      tokenOf(1_024),
      randomBytes(48).toString('base64url'),
    ];
    const begin = async (sub: string): Promise<void> => {
      const tokens = (now: number) => [
        {
          audience: `${tenant}/me/`,
          scope: ['openid'],
          value: access,
          expiresAt: now,
          renewAt: now,
        },
      ];
      const sid = randomBytes(24).toString('base64url');
      await sessions.begin(
        newTicket(),
        (now) => ({ sub, sid, idToken: id, refreshToken: refresh, tokens: tokens(now) }),
        {},
      );
    };
    const people = kinds.reduce((sum, { count }) => sum + count, 0);
    const { users } = (await asJson('POST', `${tenant}/_control/users`, {
      count: people,
      password,
    })) as {
      users: { user_id: string; email: string }[];
    };
    say(`${people} sign-ins`);
    // Each is at the tenant once, through the gateway, so that the tenant has a session to end; the user's others are begun as a gateway begins them.
    await eachOf(users, 4, async ({ email }) => {
      await createPerson(origin, { email, password }).signIn();
    });
    const waiting = [...users];
    const groups = kinds.map((kind) => ({ ...kind, members: waiting.splice(0, kind.count) }));
    const more = groups.flatMap(({ members, each }) =>
      members.flatMap(({ user_id }) => Array.from({ length: each - 1 }, () => user_id)),
    );
    const strangers = Array.from(
      { length: Math.max(0, stored - people - more.length) },
      (_, i) => `auth0|stranger-${i}`,
    );
    say(`${stored} sessions`);
    await eachOf([...more, ...strangers], 64, begin);
    const held = async (): Promise<number> => Number(await redis.command('DBSIZE'));
    const before = await held();

    const rows: Table['rows'][number][] = [];
    for (const { name, form, members } of groups) {
      await configure(form);
      catcher.caught.length = 0;
      for (const { email } of members) await asJson('POST', `${tenant}/_control/logout`, { email });
      const times: number[] = [];
      for (const body of catcher.caught) {
        const began = performance.now();
        const headers = { 'content-type': 'application/x-www-form-urlencoded' };
        const { status } = await fetch(`${origin}/auth/backchannel-logout`, {
          method: 'POST',
          headers,
          body,
        });
        times.push(performance.now() - began);
        if (status !== 200) throw new Error(`a logout was answered ${String(status)}`);
      }
      if (times.length !== members.length)
        throw new Error(`${times.length} logout tokens came for ${members.length} users`);
      times.sort((a, b) => a - b);
      const at = (share: number): string =>
        (times[Math.ceil(times.length * share) - 1] ?? 0).toFixed(1);
      rows.push([name, times.length, at(0.5), at(0.99), at(1)]);
    }
    return {
      title: `Back-channel logout with ${stored.toLocaleString('en')} sessions stored`,
      about: `One gateway process, one Redis (${before.toLocaleString('en')} keys before the first logout), logout tokens signed by the tenant, told one after the other; milliseconds until the answer, the verification of the token included and for the very first one the fetching of the keys. Target: under 200.`,
      columns: ['what ends', 'logouts', 'p50', 'p99', 'max'],
      rows,
    };
  } finally {
    await redis.close();
    catcher.server.closeAllConnections();
    catcher.server.close();
    stage.end();
  }
};
