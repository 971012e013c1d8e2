// Stands between a gateway and its Redis, and is its upstream as well: `node bench/proxy/witness.ts REDIS_PORT RELAY_PORT UPSTREAM_PORT`. Counts the commands the
// gateway itself sends (what a script calls inside Redis is none of them), and can send requests one by one and say in which order Redis and the upstream were asked.
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { createCommandCounter } from './flood.ts';

const [redisPort = 0, relayPort = 0, upstreamPort = 0] = process.argv.slice(2).map(Number);
const body = JSON.stringify({ accounts: [], filler: 'x'.repeat(623) });
const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\ncache-control: no-store\r\n\r\n${body}`;

let commands = 0;
let answered = 0;
let seen: string[] = [];

createServer({ noDelay: true }, (near) => {
  const far = connect({ port: redisPort, host: '127.0.0.1', noDelay: true });
  const count = createCommandCounter();
  let asking = false;
  near.on('data', (piece: Buffer) => {
    commands += count(piece);
    // Everything sent before Redis has answered again is one trip.
    if (!asking) seen.push('Redis');
    asking = true;
    far.write(piece);
  });
  far.on('data', (piece: Buffer) => {
    asking = false;
    near.write(piece);
  });
  for (const [one, other] of [[near, far] as const, [far, near] as const]) {
    one.on('error', () => undefined);
    one.once('close', () => other.destroy());
  }
}).listen(relayPort, '127.0.0.1');

createServer({ noDelay: true }, (socket) => {
  socket.on('data', (piece: Buffer) => {
    if (!piece.includes('\r\n\r\n')) return;
    answered += 1;
    seen.push('upstream');
    socket.write(answer);
  });
  socket.on('error', () => socket.destroy());
}).listen(upstreamPort, '127.0.0.1');

/** Asks one after the other and answers what was asked meanwhile, in order, for each. */
const oneByOne = async (
  port: number,
  path: string,
  cookie: string,
  times: number,
): Promise<string[]> => {
  const orders: string[] = [];
  for (let i = 0; i < times; i += 1) {
    // What the gateway does by itself, or after its answer, is not part of the request.
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen = [];
    await new Promise((resolve, reject) => {
      const options = {
        port,
        host: '127.0.0.1',
        path: `${path}?from=w${Date.now()}${i}`,
        headers: { cookie, 'x-csrf': '1' },
      };
      request(options, (message) => message.resume().once('end', resolve))
        .once('error', reject)
        .end();
    });
    orders.push(seen.join(' '));
  }
  return orders;
};

process.on('message', (wish: { port?: number; path: string; cookie: string; times: number }) => {
  if (wish.port === undefined) process.send?.({ commands, answered });
  else
    void oneByOne(wish.port, wish.path, wish.cookie, wish.times).then((orders) =>
      process.send?.({ orders }),
    );
});
process.once('disconnect', () => process.exit());
