/**
 * One cookie as a browser sent it, undecoded; one that was set without a name has the empty name.
 */
export interface SentCookie {
  readonly name: string;
  readonly value: string;
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/**
 * Returns the cookies of a `Cookie` header in the order sent; the one parser of this gateway. Only
 * `;` parts one cookie from the next (RFC 6265 section 5.4): a value may hold spaces and `=`, so
 * whoever looked for names behind a space would read `x=y __Host-name=value`, which a neighbour
 * under the same domain can set, as a `__Host-` cookie. Around a cookie only space and tab are
 * dropped, as browsers do; String.trim drops U+00A0 as well, which they keep.
 */
export const parseCookies = (header: string | undefined): readonly SentCookie[] => {
  if (header === undefined || header === '') return [];
  const cookies: SentCookie[] = [];
  for (let start = 0; start < header.length;) {
    const semicolon = header.indexOf(';', start);
    let end = semicolon === -1 ? header.length : semicolon;
    const next = end + 1;
    while (start < end && isBlank(header.charCodeAt(start))) start += 1;
    while (end > start && isBlank(header.charCodeAt(end - 1))) end -= 1;
    const text = header.slice(start, end);
    const equals = text.indexOf('=');
    if (equals !== -1) cookies.push({ name: text.slice(0, equals), value: text.slice(equals + 1) });
    else if (text !== '') cookies.push({ name: '', value: text });
    start = next;
  }
  return cookies;
};

/** Writes cookies as a `Cookie` header says them; the other way of parseCookies. */
export const writeCookies = (cookies: readonly SentCookie[]): string =>
  cookies.map(({ name, value }) => (name === '' ? value : `${name}=${value}`)).join('; ');

// An answer's head has to pass proxies that take 4 KiB of it.
const placesAtMost = 24;
const pathsAtMost = 12;
const pathLengthAtMost = 128;
const plainPath = /^(?:\/[\w.~%!$&'()*+,:@=-]*)+$/;

/**
 * Every path under which a browser may keep a cookie that it sends with a request for `path` (RFC
 * 6265 section 5.1.4).
 */
const pathsAbove = (path: string): readonly string[] => {
  const paths = ['/'];
  for (
    let at = path.indexOf('/', 1);
    at !== -1 && paths.length < pathsAtMost;
    at = path.indexOf('/', at + 1)
  )
    paths.push(path.slice(0, at), path.slice(0, at + 1));
  if (!path.endsWith('/') && paths.length < pathsAtMost) paths.push(path);
  return paths.filter((each) => each.length <= pathLengthAtMost && plainPath.test(each));
};

/**
 * The domains a neighbour may have set a cookie for: the host's own and those above it, a top level
 * one excepted.
 */
const domainsAbove = (host: string): readonly string[] => {
  if (/^[\d.]+$|^\[/.test(host)) return [];
  const labels = host.split('.');
  return labels.slice(0, -1).map((_label, index) => labels.slice(index).join('.'));
};

/**
 * Returns `Set-Cookie` values that end a cookie wherever a browser may have kept it so that it came
 * with a request for `path` at `host`: on every path above, set by this host or for a domain above
 * it, at most 24 of them, the likeliest first. What they cannot reach (a deeper path, a partitioned
 * cookie) only its person can delete.
 */
export const expireCookie = (
  name: string,
  where: { readonly host: string; readonly path: string; readonly secure: boolean },
): readonly string[] => {
  const attributes = `Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax${where.secure ? '; Secure' : ''}`;
  const paths = pathsAbove(where.path);
  const own = paths.map((path) => `${name}=; Path=${path}; ${attributes}`);
  const domains = domainsAbove(where.host);
  const shared = paths.flatMap((path) =>
    domains.map((domain) => `${name}=; Domain=${domain}; Path=${path}; ${attributes}`),
  );
  return [...own, ...shared].slice(0, placesAtMost);
};
