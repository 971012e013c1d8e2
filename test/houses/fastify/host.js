// A gateway as a middleware of a Fastify application, by Fastify's own plugin for handlers of Node's requests.
import process from 'node:process';
import middie from '@fastify/middie';
import fastify from 'fastify';

const { createGateway } = await import(process.env.GATEWAY);
const gateway = createGateway(process.env);

const host = fastify();
await host.register(middie);
host.use(gateway.app);
for (const path of ['/before', '/after', '/api/orders', '/auth/other'])
  host.get(path, async () => 'host');
host.post('/api/orders', async (request) => request.body);
await host.listen({ port: Number(process.env.PORT), host: 'localhost' });
process.stdout.write('ready\n');
