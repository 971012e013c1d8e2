import type { ClientRequest, IncomingMessage } from 'node:http';
import supertest from 'supertest';
import { CookieJar } from 'tough-cookie';
import { generateSync } from 'otplib';

/** An answer as a browser would keep it: where it ended up, its status, headers and text. */
export interface Seen {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  json(): unknown;
}

/** Somebody at a browser: a cookie jar, navigations that follow redirects, calls as a page's script makes them. */
export interface Person {
  readonly jar: CookieJar;
  /** Opens an address as a navigation and follows redirects, at most 15; `stopAt` ends it before an address that begins so. */
  visit(
    url: string,
    options?: {
      stopAt?: string;
      method?: string;
      form?: Record<string, string>;
      headers?: Record<string, string>;
    },
  ): Promise<Seen>;
  /** Calls the gateway as a script of its page does; never follows redirects. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Seen>;
  /** Fills in whatever sign-in form is shown until the browser is back at the gateway. */
  answerForms(shown: Seen, who?: Partial<Credentials>): Promise<Seen>;
  /** Signs in from the start; answers the page it came back to. */
  signIn(returnTo?: string): Promise<Seen>;
}

/** What the forms are answered with. */
export interface Credentials {
  readonly email: string;
  readonly password: string;
  readonly totpSecret?: string | undefined;
}

const field = (html: string, name: string): string | undefined =>
  new RegExp(`name="${name}"[^>]*value="([^"]*)"`).exec(html)?.[1] ??
  new RegExp(`value="([^"]*)"[^>]*name="${name}"`).exec(html)?.[1];

/** The code an authenticator app shows now, or some seconds from now. */
export const codeOf = (secret: string, inSeconds = 0): string =>
  generateSync({ secret, epoch: Math.floor(Date.now() / 1000) + inSeconds });

type Sent = { method: string; headers: Record<string, string>; body?: string };

// By supertest, and not by its agent: that keeps no Secure cookie it was given over http. Nor by fetch, which writes
// Sec-Fetch-Mode itself: a navigation would pass for a script's call. Each has a connection of its own.
const exchange = async (url: string, { method, headers, body }: Sent): Promise<Seen> => {
  const { origin, pathname, search } = new URL(url);
  const server = supertest(origin);
  const verb = method.toLowerCase() as 'get';
  const sent = server[verb](pathname + search)
    .redirects(0)
    .buffer(true)
    .parse(asText)
    .set(headers);
  if (body !== undefined) sent.send(body);
  // It would ask for compressed answers, which no test but those that say so is about.
  superagentOf(sent).request().removeHeader('accept-encoding');
  const answer = await sent;
  const { rawHeaders } = superagentOf(answer).res;
  const named = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2)
    named.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '');
  const text = String(answer.body);
  const json = (): unknown => JSON.parse(text) as unknown;
  return { url, status: answer.status, headers: named, text, json };
};

// What superagent has in Node and its types do not tell: https://forwardemail.github.io/superagent/
const superagentOf = (part: object) => part as { request(): ClientRequest; res: IncomingMessage };

const asText = (
  answer: supertest.Response,
  done: (error: Error | null, text: string) => void,
): void => {
  const chunks: Buffer[] = [];
  answer.on('data', (chunk: Buffer) => chunks.push(chunk));
  answer.on('end', () => {
    done(null, Buffer.concat(chunks).toString());
  });
};

/** Somebody at a browser whose page is at `origin`. */
export const createPerson = (origin: string, who?: Credentials): Person => {
  const jar = new CookieJar(undefined, {
    allowSpecialUseDomain: true,
    rejectPublicSuffixes: false,
  });

  const once = async (
    url: string,
    init: { method: string; headers: Record<string, string>; body?: string },
  ): Promise<Seen> => {
    const cookie = await jar.getCookieString(url);
    const answer = await exchange(url, {
      ...init,
      headers: { ...init.headers, ...(cookie !== '' && { cookie }) },
    });
    for (const line of answer.headers.getSetCookie())
      await jar.setCookie(line, url, { ignoreError: true });
    return answer;
  };

  const person: Person = {
    jar,
    async visit(address, { stopAt, method = 'GET', form, headers = {} } = {}) {
      let url = new URL(address, origin).href;
      let verb = method;
      let body = form === undefined ? undefined : new URLSearchParams(form).toString();
      let site = new URL(url).origin === origin ? 'same-origin' : 'cross-site';
      for (let hop = 0; hop < 15; hop += 1) {
        if (stopAt !== undefined && hop > 0 && url.startsWith(stopAt))
          return { url, status: 0, headers: new Headers(), text: '', json: () => undefined };
        const type =
          body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
        const fetched = {
          'sec-fetch-mode': 'navigate',
          'sec-fetch-dest': 'document',
          'sec-fetch-site': site,
          accept: 'text/html',
        };
        const answer = await once(url, {
          method: verb,
          headers: { ...fetched, ...type, ...headers },
          ...(body !== undefined && { body }),
        });
        const location = answer.headers.get('location');
        if (answer.status < 300 || answer.status >= 400 || location === null) return answer;
        const next = new URL(location, url);
        if (next.origin !== new URL(url).origin) site = 'cross-site';
        url = next.href;
        verb = 'GET';
        body = undefined;
      }
      throw new Error(
        `too many redirects, the last to ${new URL(url).origin}${new URL(url).pathname}`,
      );
    },
    async call(method, path, body, headers = {}) {
      const url = new URL(path, origin).href;
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const own = {
        'sec-fetch-mode': 'cors',
        'sec-fetch-dest': 'empty',
        'sec-fetch-site': 'same-origin',
        accept: 'application/json',
      };
      const content =
        body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
      return once(url, { method, headers: { ...own, ...type, ...headers }, ...content });
    },
    async answerForms(shown, over = {}) {
      const using = { ...who, ...over };
      let page = shown;
      for (let step = 0; step < 6 && new URL(page.url).origin !== origin; step += 1) {
        const action = /<form[^>]*action="([^"]*)"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&');
        const state = field(page.text, 'state');
        if (action === undefined || state === undefined)
          throw new Error(`no form to answer at ${new URL(page.url).pathname}: ${page.status}`);
        const form = page.text.includes('name="password"')
          ? { state, username: using.email ?? '', password: using.password ?? '' }
          : page.text.includes('name="code"')
            ? { state, code: using.totpSecret === undefined ? '' : codeOf(using.totpSecret) }
            : { state, action: 'accept' };
        page = await person.visit(new URL(action, page.url).href, { method: 'POST', form });
      }
      return page;
    },
    async signIn(returnTo = '/') {
      return person.answerForms(
        await person.visit(`/auth/login?${new URLSearchParams({ returnTo }).toString()}`),
      );
    },
  };
  return person;
};
