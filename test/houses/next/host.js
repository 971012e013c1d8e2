// A gateway before a Next application, in a custom server: what is not the gateway's own is Next's, upgrades included.
import { createServer } from 'node:http';
import process from 'node:process';
import next from 'next';

const { createGateway } = await import(process.env.GATEWAY);
const gateway = createGateway(process.env);

const port = Number(process.env.PORT);
const host = next({ dev: true, hostname: 'localhost', port });
await host.prepare();
const [handle, upgrade] = [host.getRequestHandler(), host.getUpgradeHandler()];
const server = createServer((req, res) => gateway.app(req, res, () => handle(req, res)));
server.on(
  'upgrade',
  (req, socket, head) => gateway.upgrade(req, socket, head) || upgrade(req, socket, head),
);
server.listen(port, 'localhost', () => process.stdout.write('ready\n'));
