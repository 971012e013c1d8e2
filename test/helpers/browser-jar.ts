import { CookieJar } from 'tough-cookie';
import { generateSync } from 'otplib';

/** What a page answered: like a Response, with the address it came from and its text read. */
export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A person at a sign-in page. */
export interface Person {
  email: string;
  password: string;
  totpSecret?: string | undefined;
}

/** A browser without a screen: cookies, redirects and forms, no scripts. */
export interface Browser {
  readonly jar: CookieJar;
  /** One request with this browser's cookies and the headers a browser sends; redirects are not followed. */
  fetch(url: string | URL, init?: RequestInit): Promise<Response>;
  /** Goes to a page and follows redirects, at most 20, until one is not a redirect or leads where `stopAt` says (which is then not asked). */
  visit(url: string | URL, options?: VisitOptions): Promise<Page>;
  /** Fills in and sends the first form of a page, its hidden fields included; `button` presses the one with that value. */
  submit(
    page: Page,
    fields: Record<string, string>,
    options?: VisitOptions & { button?: string },
  ): Promise<Page>;
  /** Signs in at the tenant's pages, second factor and consent included, until the application is reached. */
  signIn(page: Page, person: Person, options?: VisitOptions): Promise<Page>;
  /** The value of a cookie this browser would send to an address. */
  cookie(url: string | URL, name: string): Promise<string | undefined>;
}

/** How far a visit goes. */
export interface VisitOptions {
  stopAt?: string;
  headers?: Record<string, string>;
}

const loopback = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Browsers keep and send Secure cookies over plain http to a machine's own names; the jar is told that such an address is https. */
const cookieUrl = (url: URL): string => {
  const copy = new URL(url);
  if (copy.protocol === 'http:' && loopback.test(copy.hostname)) copy.protocol = 'https:';
  return copy.href;
};

/** A registrable site as SameSite sees it; good enough for names of one machine. */
const siteOf = (url: URL): string => `${url.protocol}//${url.hostname}`;

/** Makes a fresh browser with an empty jar. */
export function createBrowser(): Browser {
  const jar = new CookieJar(undefined, { rejectPublicSuffixes: false, prefixSecurity: 'strict' });

  const send = async (
    url: URL,
    init: RequestInit & { from?: URL | undefined } = {},
  ): Promise<Response> => {
    const { from, ...request } = init;
    const headers = new Headers(request.headers);
    const cookies = await jar.getCookieString(cookieUrl(url));
    if (cookies !== '') headers.set('cookie', cookies);
    const site =
      from === undefined
        ? 'none'
        : from.origin === url.origin
          ? 'same-origin'
          : siteOf(from) === siteOf(url)
            ? 'same-site'
            : 'cross-site';
    if (!headers.has('sec-fetch-site')) headers.set('sec-fetch-site', site);
    const response = await fetch(url, {
      ...request,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(15_000),
    });
    for (const cookie of response.headers.getSetCookie())
      await jar.setCookie(cookie, cookieUrl(url), { ignoreError: true });
    return response;
  };

  const follow = async (
    start: URL,
    init: RequestInit & { from?: URL | undefined },
    { stopAt }: VisitOptions,
  ): Promise<Page> => {
    let url = start;
    let request = init;
    for (let hop = 0; hop <= 20; hop += 1) {
      if (stopAt !== undefined && url.href.startsWith(stopAt))
        return { url, status: 0, headers: new Headers(), text: '' };
      const response = await send(url, request);
      const location = response.headers.get('location');
      if (location === null || response.status < 300 || response.status > 399) {
        return {
          url,
          status: response.status,
          headers: response.headers,
          text: await response.text(),
        };
      }
      await response.body?.cancel();
      const { headers } = request;
      request = {
        from: request.from ?? url,
        ...(headers === undefined ? {} : { headers: withoutBody(headers) }),
      };
      url = new URL(location, url);
    }
    throw new Error(`More than 20 redirects, the last to ${url.href}`);
  };

  const navigation = {
    accept: 'text/html',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  };
  const browser: Browser = {
    jar,
    fetch: async (url, init) => send(new URL(url), init),
    visit: async (url, options = {}) =>
      follow(new URL(url), { headers: { ...navigation, ...options.headers } }, options),
    async submit(page, fields, options = {}) {
      const form = readForm(page.text);
      const target = new URL(form.action || page.url, page.url);
      const pressed =
        options.button === undefined
          ? form.buttons[0]
          : form.buttons.find(({ value }) => value === options.button);
      const body = new URLSearchParams({
        ...form.hidden,
        ...fields,
        ...(pressed === undefined ? {} : { [pressed.name]: pressed.value }),
      });
      const headers = { ...navigation, origin: page.url.origin, ...options.headers };
      if (form.method === 'get')
        return follow(new URL(`?${body.toString()}`, target), { headers, from: page.url }, options);
      return follow(target, { method: 'POST', body, headers, from: page.url }, options);
    },
    async signIn(page, person, options = {}) {
      let at = page;
      for (let step = 0; step < 6; step += 1) {
        const path = at.url.pathname;
        if (at.status === 0 || !path.startsWith('/u/')) return at;
        if (at.status >= 400)
          throw new Error(`The sign-in page refused (${at.status}): ${problemOf(at.text)}`);
        if (path === '/u/login')
          at = await browser.submit(
            at,
            { username: person.email, password: person.password },
            options,
          );
        else if (path === '/u/consent')
          at = await browser.submit(at, {}, { ...options, button: 'accept' });
        else {
          const secret = person.totpSecret ?? /id="secret">([A-Z2-7]+)</.exec(at.text)?.[1];
          if (secret === undefined)
            throw new Error(`No way past ${path}: this person has no authenticator app`);
          at = await browser.submit(at, { code: generateSync({ secret }) }, options);
        }
      }
      throw new Error(`Still at ${at.url.href} after six pages`);
    },
    async cookie(url, name) {
      const cookies = await jar.getCookies(cookieUrl(new URL(url)));
      return cookies.find((cookie) => cookie.key === name)?.value;
    },
  };
  return browser;
}

function withoutBody(headers: RequestInit['headers']): Headers {
  const copy = new Headers(headers);
  for (const name of ['content-type', 'origin', 'sec-fetch-site']) copy.delete(name);
  return copy;
}

const problemOf = (html: string): string =>
  unescape(/id="problem">([^<]*)</.exec(html)?.[1] ?? html.replace(/<[^>]+>/g, ' ').slice(0, 300));

const unescape = (text: string): string =>
  text
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

interface Form {
  action: string;
  method: string;
  hidden: Record<string, string>;
  buttons: { name: string; value: string }[];
}

/** Reads the first form of a page: where it goes, its hidden fields, and its buttons, those outside that name it included. */
export function readForm(html: string): Form {
  const [whole, attributes = '', inner = ''] =
    /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(html) ?? [];
  if (whole === undefined)
    throw new Error(
      `There is no form on this page: ${html.replace(/<[^>]+>/g, ' ').slice(0, 300)}`,
    );
  const hidden: Record<string, string> = {};
  for (const [tag] of inner.matchAll(/<input\b[^>]*>/gi)) {
    if (attribute(tag, 'type') === 'hidden')
      hidden[attribute(tag, 'name') ?? ''] = attribute(tag, 'value') ?? '';
  }
  const id = attribute(attributes, 'id');
  const outside = [...html.matchAll(/<button\b[^>]*>/gi)]
    .map(([tag]) => tag)
    .filter((tag) => id !== undefined && attribute(tag, 'form') === id);
  const buttons = [
    ...[...inner.matchAll(/<button\b[^>]*>/gi)].map(([tag]) => tag),
    ...outside,
  ].flatMap((tag) => {
    const name = attribute(tag, 'name');
    return name === undefined ? [] : [{ name, value: attribute(tag, 'value') ?? '' }];
  });
  return {
    action: attribute(attributes, 'action') ?? '',
    method: (attribute(attributes, 'method') ?? 'get').toLowerCase(),
    hidden,
    buttons,
  };
}

const attribute = (tag: string, name: string): string | undefined => {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(tag);
  return found === null ? undefined : unescape(found[1] ?? found[2] ?? '');
};
