import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  keepOpen,
  openConnection,
  type Connection,
} from '../../../../src/gateway/redis/connection.ts';
import { startRedis, type RedisServer } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';

let server: RedisServer;
let connection: Connection;
let closed = false;
beforeEach(async () => {
  closed = false;
  server = await startRedis();
  connection = openConnection({ url: server.url, deadlineMs: 500 });
  connection.on('error', () => undefined);
  keepOpen(connection, () => closed);
  expect(await until(() => connection.status === 'ready')).toBe(true);
});
afterEach(async () => {
  closed = true;
  connection.disconnect();
  await server.stop();
});

// What ioredis does by itself when a failover is told while it connects, seen in one of four failovers.
test('a connection that has given itself up is opened again', async () => {
  const ended = new Promise((resolve) => connection.once('end', resolve));
  connection.disconnect();
  await ended;
  expect(await until(async () => (await connection.call('PING')) === 'PONG')).toBe(true);
});

test('one that was closed on purpose stays so', async () => {
  closed = true;
  const ended = new Promise((resolve) => connection.once('end', resolve));
  connection.disconnect();
  await ended;
  expect(await until(() => connection.status !== 'end', 500)).toBe(false);
});
