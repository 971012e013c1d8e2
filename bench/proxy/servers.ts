// One of the arrangements the gateway is measured beside: `UPSTREAM=URL REDIS_URL=URL TENANT=URL node bench/proxy/servers.ts bare|usual|eoc PORT`.
// All answer /up themselves.
import { Agent, createServer, request } from 'node:http';
import { startEoc } from './eoc.ts';
import { startUsual } from './usual.ts';

const [kind = '', port = '0'] = process.argv.slice(2);
const upstream = process.env['UPSTREAM'] ?? '';

/** The least a reverse proxy in Node can do: the yardstick of all ratios. */
const startBare = (): void => {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port: to } = new URL(upstream);
  createServer((req, res) => {
    if (req.url === '/up') {
      res.end();
      return;
    }
    const onward = request({ hostname, port: to, path: req.url, method: req.method, headers: req.headers, agent }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    onward.once('error', () => res.destroy());
    req.pipe(onward);
  }).listen(Number(port), '127.0.0.1');
};

const redisUrl = process.env['REDIS_URL'] ?? '';
const kinds: Record<string, () => void> = {
  bare: startBare,
  usual: () => startUsual({ port: Number(port), upstream, redisUrl }),
  eoc: () => startEoc({ port: Number(port), upstream, redisUrl, tenant: process.env['TENANT'] ?? '' }),
};
kinds[kind]?.();
