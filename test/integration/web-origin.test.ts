import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
let dev: Server;
let seen: IncomingMessage[] = [];
beforeAll(async () => {
  dev = createServer((req, res) => {
    seen.push(req);
    res.setHeader('content-type', 'text/html').end(`dev ${req.url ?? ''}`);
  });
  await new Promise<void>((resolve) => dev.listen(0, '127.0.0.1', resolve));
  world = await startWorld({ settings: { WEB_ORIGIN: `http://127.0.0.1:${(dev.address() as AddressInfo).port}` } });
});
afterAll(async () => {
  await world.close();
  dev.closeAllConnections();
  dev.close();
});

test('everything that is not the gateway’s own goes to the dev server, without the gateway’s cookies', async () => {
  const person = world.person();
  await person.signIn('/account');
  await person.jar.setCookie('theme=dark; Path=/', world.origin);
  seen = [];
  const page = await person.visit('/some/module.js?v=1');
  expect(page.text).toBe('dev /some/module.js?v=1');
  expect(seen.map(({ headers }) => headers.cookie)).toEqual(['theme=dark']);
});

test('what is the gateway’s own never goes there', async () => {
  seen = [];
  const person = world.person();
  for (const path of ['/api/nothing', '/auth/nothing', '/api/me/v1/unknown'])
    expect((await person.call('GET', path)).status).toBeGreaterThanOrEqual(400);
  expect(seen).toEqual([]);
});

test('a dev server that is gone is a clear failure', async () => {
  dev.closeAllConnections();
  await new Promise((resolve) => dev.close(resolve));
  const answer = await world.person().call('GET', '/index.html');
  expect(answer.status).toBe(502);
  expect(answer.json()).toMatchObject({ code: 'upstream_unreachable' });
});
