/** Where losses and returns of the connection are told. */
export interface RedisLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What may be wrong with a Redis and how to mend it, by how the failure begins or what it names; never by anything that holds a password. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /^(WRONGPASS|NOAUTH|ERR invalid password|ERR AUTH)/,
    'Redis lets nobody in with these credentials: mend the user and password in REDIS_URL',
  ],
  // INFO is only asked for advice.
  [
    /^NOPERM(?!.*'info')/,
    'the user in REDIS_URL may not do what the gateway has to: give it the commands and keys in its ACL',
  ],
  [
    /^(READONLY|MASTERDOWN)/,
    'this Redis is a read-only replica: let REDIS_URL name the primary, or its Sentinels',
  ],
  [/^OOM/, 'Redis is full: nobody can sign in until it has more memory (maxmemory) or fewer keys'],
  [/^(MISCONF|NOREPLICAS)/, 'Redis refuses writes until what it says itself is mended'],
  [/^CLUSTERDOWN/, 'a part of the Cluster serves nobody: bring its nodes back'],
  [
    /^ERR This instance has cluster support disabled/,
    'this Redis is no Cluster: write redis:// instead of redis+cluster://',
  ],
  [
    /unknown command '?`?sentinel/i,
    'this is a Redis and no Sentinel: write redis:// instead of redis+sentinel://',
  ],
  [
    /self[- ]signed certificate|unable to (verify the first|get (local )?issuer) certificate/,
    'the certificate of Redis is not trusted: name the file of its authority in NODE_EXTRA_CA_CERTS',
  ],
  [
    /does not match certificate's altnames/,
    'the certificate of Redis is for other names: let REDIS_URL name it as the certificate does',
  ],
  [
    /certificate (has expired|is not yet valid)/,
    "the certificate of Redis is out of date, or this machine's clock is wrong",
  ],
  [
    /wrong version number|packet length too long/,
    'this port of Redis speaks no TLS: write redis:// or name its TLS port',
  ],
];

/** The sentence that says how to mend a failure of Redis, where it is one of those that only an operator can mend. */
export const remedyOf = (message: string): string | undefined =>
  remedies.find(([says]) => says.test(message))?.[1];

const againAfterMs = 60_000;
const readOnlyPauseMs = 2_000;

/** Tells the log how the connection to Redis fares: each loss and return, and each kind of failure at most once a minute. */
export interface Diagnostics {
  reached(): void;
  lost(): void;
  /** A failure of the connection or of a command; of the latter only those are told that an operator can mend. */
  failed(error: unknown, of: 'connection' | 'command'): void;
}

/** Makes the teller, quiet about a loss that `closed` says was meant. */
export const createDiagnostics = (log: RedisLog, closed: () => boolean): Diagnostics => {
  const last = new Map<string, number>();
  let away = true;
  let readOnlyAt = -Infinity;
  return {
    reached() {
      if (!away) return;
      away = false;
      last.clear();
      log.info({ store: 'redis' }, 'connected to Redis');
    },
    lost() {
      // A replica is left on purpose, to see whether the address means another server by now: its failure was told.
      if (away || closed() || performance.now() - readOnlyAt < readOnlyPauseMs) return;
      away = true;
      log.warn({ store: 'redis' }, 'lost the connection to Redis, reconnecting');
    },
    failed(error, of) {
      const reason = reasonOf(error);
      const remedy = remedyOf(reason);
      if (closed() || (remedy === undefined && of === 'command')) return;
      const now = performance.now();
      if (reason.startsWith('READONLY')) readOnlyAt = now;
      // Attempts follow each other several times a second, and differ in numbers only.
      const kind = remedy ?? reason.replace(/\d+/g, '');
      if (now - (last.get(kind) ?? -Infinity) < againAfterMs) return;
      last.set(kind, now);
      log.warn(
        { store: 'redis', reason },
        remedy === undefined ? 'cannot reach Redis' : `cannot use Redis: ${remedy}`,
      );
    },
  };
};

// A Cluster that cannot be reached says so itself, and keeps to itself what its nodes said.
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'unknown';
  const inner: unknown = 'lastNodeError' in error ? error.lastNodeError : undefined;
  return inner instanceof Error ? inner.message : error.message;
};
