import { createPerson, type Person } from '../../test/helpers/person.ts';
import { freePort, untilReady } from '../sessions/stage.ts';
import { cores, startOn } from './processes.ts';
import type { Scene } from './scene.ts';

/** The application that every arrangement is at the tenant; each has a callback of its own. */
export const application = { id: 'bench', secret: 'a client secret of the benchmark' } as const;

/** What is asked for at every sign-in. */
export const signInScope = 'openid profile email offline_access read:me:authentication_methods read:me:factors read:me:connected_accounts';

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
  scene.owns(startOn(cores.around, process.execPath, ['src/main.ts', 'tenant', '--port', String(port), '--control']));
  await untilReady(`${url}/.well-known/openid-configuration`);
  const send = async (method: string, path: string, body: object): Promise<void> => {
    const answer = await fetch(`${url}${path}`, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
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
        grants: [{ client_id: application.id, scope: signInScope.split(' ').filter((scope) => scope.includes(':')) }],
      });
    },
  };
};

/** Signs so many people in at an arrangement, through its own routes, and answers their cookies there. */
export const signIn = async (tenant: BenchTenant, origin: string, start: string, count: number): Promise<string[]> => {
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
