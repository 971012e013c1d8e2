import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, untilReady } from '../sessions/stage.ts';
import { cores, startOn } from './processes.ts';
import type { Scene } from './scene.ts';
import { application, signInScope } from './tenant.ts';

const program = '/usr/sbin/apache2';
const modules = '/usr/lib/apache2/modules';

/** Whether Apache and mod_auth_openidc are installed here, where Debian puts them. */
export const hasApache = existsSync(program) && existsSync(join(modules, 'mod_auth_openidc.so'));

const load = (name: string): string => `LoadModule ${name}_module ${modules}/mod_${name}.so`;

/** Starts Apache with mod_auth_openidc before the upstream, with a configuration and a folder of its own, sessions in Redis; it ends with the scene, by its id. */
export const startApache = async (scene: Scene, tenant: string): Promise<{ port: number; pid: number }> => {
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
    ...['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_openidc', 'proxy', 'proxy_http', 'headers'].map(load),
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
  const child = startOn(cores.measured, program, ['-f', join(folder, 'apache.conf'), '-DFOREGROUND']);
  scene.owns(child);
  await untilReady(`http://127.0.0.1:${port}/up`);
  return { port, pid: child.pid ?? 0 };
};
