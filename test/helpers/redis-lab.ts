import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedis, type Redis } from '../../src/gateway/redis/client.ts';
import { certificate } from './certificate.ts';
import { freePort, startRedis, type RedisServer } from './redis.ts';
import { until } from './until.ts';

const quiet = { info: () => undefined, warn: () => undefined };

const must = async (holds: () => Promise<boolean> | boolean, what: string): Promise<void> => {
  if (!(await until(holds))) throw new Error(`it never came true: ${what}`);
};

/** Redis as it is run in earnest: the address a gateway is given, the servers behind it, and the end of them all. */
export interface RedisLab {
  readonly url: string;
  stop(): Promise<void>;
}

/** A connection of the test's own to one server, without a prefix. */
export interface Node extends RedisServer {
  ask(...command: (string | number)[]): Promise<unknown>;
}

/** Starts servers and ends them together. */
const openLab = () => {
  const ends: (() => Promise<unknown>)[] = [];
  return {
    async node(
      flags: readonly string[] = [],
      configuration: readonly string[] = [],
    ): Promise<Node> {
      const server = await startRedis(flags, configuration);
      let redis: Redis | undefined;
      ends.push(async () => {
        await redis?.close();
        await server.stop();
      });
      const ask: Node['ask'] = async (name, ...args) => {
        redis ??= createRedis({ url: server.url, keyPrefix: '', deadlineMs: 2_000 }, quiet);
        return redis.command(String(name), ...args);
      };
      // Getters of the server stay getters.
      return Object.defineProperties({ ask } as Node, Object.getOwnPropertyDescriptors(server));
    },
    folder(name: string): string {
      const made = mkdtempSync(join(tmpdir(), `${name}-`));
      ends.push(async () => {
        rmSync(made, { recursive: true, force: true, maxRetries: 3 });
        return Promise.resolve();
      });
      return made;
    },
    async stop(): Promise<void> {
      for (const end of ends.splice(0).reverse()) await end();
    },
  };
};

/** A primary and a replica watched by one Sentinel, which puts the replica in the primary's place half a second after its death. */
export const startSentinels = async (): Promise<
  RedisLab & { readonly primary: Node; readonly replica: Node }
> => {
  const lab = openLab();
  try {
    // Both: either may be the one to send its data to the other.
    const atOnce = ['--repl-diskless-sync-delay', '0'];
    const primary = await lab.node(atOnce);
    const replica = await lab.node(['--replicaof', '127.0.0.1', String(primary.port), ...atOnce]);
    await must(
      async () => /state=online/.test(String(await primary.ask('INFO', 'replication'))),
      'the replica is in sync',
    );
    const folder = lab.folder('sentinel');
    const config = join(folder, 'sentinel.conf');
    const watch = `sentinel monitor mymaster 127.0.0.1 ${primary.port} 1`;
    const times =
      'sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n';
    writeFileSync(config, `${watch}\n${times}`);
    // A Sentinel is a redis-server with another configuration.
    const sentinel = await lab.node(['--sentinel'], [config]);
    // By itself it asks the servers who they are every ten seconds only.
    await sentinel.ask('SENTINEL', 'DEBUG', 'INFO-PERIOD', 500);
    await must(
      // Known to the Sentinel, and in good order: only then can the replica take over.
      async () =>
        /slave-repl-offset,[1-9]/.test(
          String(await sentinel.ask('SENTINEL', 'replicas', 'mymaster')),
        ),
      'the Sentinel knows the replica',
    );
    return {
      url: `redis+sentinel://127.0.0.1:${sentinel.port}/mymaster`,
      primary,
      replica,
      stop: lab.stop,
    };
  } catch (error) {
    await lab.stop();
    throw error;
  }
};

const slotBounds = [0, 5_461, 10_923, 16_384];

/** A Cluster of three masters, each with a replica where asked for; slots without a master leave the others in service. */
export const startCluster = async (
  options: { replicas?: boolean } = {},
): Promise<
  RedisLab & { readonly masters: readonly Node[]; readonly replicas: readonly Node[] }
> => {
  const lab = openLab();
  const flags = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '1000',
    '--cluster-require-full-coverage',
    'no',
  ];
  const node = async () => {
    // What it knows of the others outlives a restart; its data does not.
    const folder = lab.folder('cluster');
    return lab.node([...flags, '--repl-diskless-sync-delay', '0', '--dir', folder]);
  };
  try {
    const masters = await Promise.all([1, 2, 3].map(node));
    const replicas = options.replicas === true ? await Promise.all([1, 2, 3].map(node)) : [];
    const all = [...masters, ...replicas];
    for (const [index, master] of masters.entries()) {
      await master.ask(
        'CLUSTER',
        'ADDSLOTSRANGE',
        slotBounds[index] ?? 0,
        (slotBounds[index + 1] ?? 0) - 1,
      );
      await master.ask('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const { port } of all) await masters[0]?.ask('CLUSTER', 'MEET', '127.0.0.1', port);
    const agreed = new RegExp(
      `cluster_state:ok[^]*cluster_slots_ok:16384[^]*cluster_known_nodes:${all.length}`,
    );
    for (const each of all)
      await must(
        async () => agreed.test(String(await each.ask('CLUSTER', 'INFO'))),
        'the nodes agree',
      );
    for (const [index, replica] of replicas.entries()) {
      await replica.ask(
        'CLUSTER',
        'REPLICATE',
        String(await masters[index]?.ask('CLUSTER', 'MYID')),
      );
    }
    for (const replica of replicas) {
      await must(
        async () => /master_link_status:up/.test(String(await replica.ask('INFO', 'replication'))),
        'a replica is in sync',
      );
    }
    const url = `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
    return { url, masters, replicas, stop: lab.stop };
  } catch (error) {
    await lab.stop();
    throw error;
  }
};

/** One server that takes TLS alone, with a certificate for 127.0.0.1 that is its own authority; `ca` is the file to trust. */
export const startTlsRedis = async (
  flags: readonly string[] = [],
): Promise<RedisLab & { readonly port: number; readonly ca: string }> => {
  const lab = openLab();
  const folder = lab.folder('redis-tls');
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  writeFileSync(key, certificate.key);
  writeFileSync(cert, certificate.cert);
  const port = await freePort();
  const files = [
    '--tls-cert-file',
    cert,
    '--tls-key-file',
    key,
    '--tls-ca-cert-file',
    cert,
    '--tls-auth-clients',
    'no',
  ];
  await lab.node(['--tls-port', String(port), ...files, ...flags]);
  return { url: `rediss://127.0.0.1:${port}`, port, ca: cert, stop: lab.stop };
};
