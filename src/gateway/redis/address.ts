/** One server's host and port. */
export interface Endpoint {
  host: string;
  port: number;
}

interface Common {
  tls: boolean;
  username?: string;
  password?: string;
}

/** Where Redis is and how to be let in. */
export type RedisAddress =
  | (Common & { kind: 'single'; endpoint: Endpoint; db: number })
  | (Common & { kind: 'socket'; path: string; db: number })
  | (Common & {
      kind: 'sentinel';
      sentinels: Endpoint[];
      name: string;
      db: number;
      sentinelUsername?: string;
      sentinelPassword?: string;
    })
  | (Common & { kind: 'cluster'; nodes: Endpoint[] });

const FORM =
  /^(rediss?)(?:\+(sentinel|cluster|unix))?:\/\/(?:([^@/]*)@)?([^/?]*)(\/[^?]*)?(?:\?(.*))?$/;
const DEFAULT_PORT = { single: 6379, sentinel: 26379, cluster: 6379 } as const;

/**
 * Reads a Redis address in one of the forms `redis://host:6379/0`, `rediss://…` (TLS), `redis+sentinel://host:26379,host2:26379/name/0`,
 * `redis+cluster://host:7000,host:7001` and `redis+unix:///path/to/socket`; `user:password@` may precede the hosts.
 * Sentinels with a password of their own take it from `?sentinelPassword=` (and `?sentinelUsername=`). Throws an Error that never repeats the password.
 */
export function readRedisAddress(url: string): RedisAddress {
  const match = FORM.exec(url);
  if (!match)
    throw new Error(
      'is not of the form redis://host:port, rediss://…, redis+sentinel://…/name, redis+cluster://… or redis+unix:///path',
    );
  const [, scheme, form, userinfo, hosts = '', path = '', query = ''] = match;
  const common = { tls: scheme === 'rediss', ...credentials(userinfo) };
  const parameters = new URLSearchParams(query);
  if (form === 'unix') {
    if (hosts !== '' || path === '')
      throw new Error('redis+unix:// is followed by the absolute path of the socket');
    return {
      kind: 'socket',
      path: decodeURIComponent(path),
      db: database(parameters.get('db') ?? ''),
      ...common,
    };
  }
  const segments = path.split('/').slice(1).map(decodeURIComponent);
  if (form === 'cluster') {
    if (segments.some((segment) => segment !== '' && segment !== '0'))
      throw new Error('a Redis Cluster has only database 0');
    return { kind: 'cluster', nodes: endpoints(hosts, DEFAULT_PORT.cluster), ...common };
  }
  if (form === 'sentinel') {
    const [name = '', db = ''] = segments;
    if (name === '')
      throw new Error(
        'redis+sentinel:// needs the name of the primary after the hosts, such as /mymaster',
      );
    const sentinelUsername = parameters.get('sentinelUsername');
    const sentinelPassword = parameters.get('sentinelPassword');
    return {
      kind: 'sentinel',
      sentinels: endpoints(hosts, DEFAULT_PORT.sentinel),
      name,
      db: database(db),
      ...common,
      ...(sentinelUsername === null ? {} : { sentinelUsername }),
      ...(sentinelPassword === null ? {} : { sentinelPassword }),
    };
  }
  const [endpoint, ...others] = endpoints(hosts, DEFAULT_PORT.single);
  if (!endpoint || others.length > 0)
    throw new Error('names several hosts: write redis+sentinel:// or redis+cluster://');
  return { kind: 'single', endpoint, db: database(segments[0] ?? ''), ...common };
}

function credentials(userinfo: string | undefined): { username?: string; password?: string } {
  if (userinfo === undefined || userinfo === '') return {};
  const [username = '', ...rest] = userinfo.split(':');
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(rest.length === 0 ? {} : { password: decodeURIComponent(rest.join(':')) }),
  };
}

function endpoints(hosts: string, defaultPort: number): Endpoint[] {
  return hosts.split(',').map((part) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(part);
    const port = Number(match?.[3] ?? defaultPort);
    const host = match?.[1] ?? match?.[2];
    if (host === undefined || port === 0 || port > 65_535)
      throw new Error('names a host or port that cannot be read');
    return { host, port };
  });
}

function database(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,4}$/.test(text)) throw new Error('the database after the slash is a number');
  return Number(text);
}
