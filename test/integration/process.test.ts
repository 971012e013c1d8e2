import { expect, test } from '@jest/globals';
import { createServer, type AddressInfo } from 'node:net';
import { freePort } from '../helpers/gateway.ts';
import { runProgram, startProgram } from '../helpers/process.ts';

interface Ready {
  gateway: string;
  admin: string;
}
const reaches = async (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    () => false,
  );

test('wrong settings: one message with every problem and its mend, exit code 1, nothing listening', async () => {
  const port = await freePort();
  const ended = runProgram(['src/main.ts', 'start'], {
    PORT: String(port),
    AUTH0_SECRET: 'short',
    APP_BASE_URL: 'http://account.example.com',
    AUTH0_PLAN: 'gold',
  });
  const { code, output } = await ended;
  expect(code).toBe(1);
  for (const name of [
    'AUTH0_DOMAIN',
    'AUTH0_CLIENT_ID',
    'AUTH0_CLIENT_SECRET',
    'AUTH0_SECRET',
    'APP_BASE_URL',
    'AUTH0_PLAN',
  ])
    expect(output).toContain(`  - ${name} `);
  expect(output).not.toMatch(/\bat .*\.ts:\d+/);
  expect(await reaches(`http://localhost:${port}/healthz`)).toBe(false);
});

test('a port that is taken is said in a sentence, exit code 1', async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '::', resolve));
  const { port } = blocker.address() as AddressInfo;
  const { code, output } = await runProgram(['src/main.ts', 'demo', '--port', String(port)]);
  blocker.close();
  expect(code).toBe(1);
  expect(output).toContain('choose another port');
  expect(output).not.toMatch(/\bat .*\.ts:\d+/);
});

test('the demo is ready with one line of JSON, answers health and metrics, and ends with 0 on SIGTERM', async () => {
  const demo = await startProgram<Ready>(['demo', '--json', '--port', '0']);
  expect(demo.ready).toMatchObject({
    gateway: expect.stringMatching(/^http:\/\/localhost:\d+$/),
    user: { email: 'demo@example.com', password: 'demo-password' },
  });
  expect((await fetch(`${demo.ready.gateway}/healthz`)).status).toBe(200);
  expect((await fetch(`${demo.ready.admin}/readyz`)).status).toBe(200);
  expect(await (await fetch(`${demo.ready.admin}/metrics`)).text()).toContain(
    'my_account_budget_decisions_total',
  );
  expect((await fetch(`${demo.ready.gateway}/metrics`)).status).toBe(404);
  expect(await demo.stop()).toBe(0);
  expect(await reaches(`${demo.ready.gateway}/healthz`)).toBe(false);
});

test('doctor says what is wrong with the settings, and what a tenant needs', async () => {
  const bad = await runProgram(['src/main.ts', 'doctor']);
  expect(bad.code).toBe(1);
  expect(bad.output).toContain('AUTH0_DOMAIN');
  const away = {
    AUTH0_DOMAIN: `127.0.0.1:${await freePort()}`,
    AUTH0_CLIENT_ID: 'x',
    AUTH0_CLIENT_SECRET: 'x',
    AUTH0_SECRET: 'x'.repeat(32),
    APP_BASE_URL: 'http://localhost:3000',
  };
  const silent = await runProgram(['src/main.ts', 'doctor'], away);
  expect(silent.code).toBe(1);
  expect(silent.output).toContain('does not answer as an Auth0 tenant');
});

test('an unknown command shows the usage', async () => {
  const { code, output } = await runProgram(['src/main.ts', 'fly']);
  expect(code).toBe(1);
  expect(output).toContain('Usage: my-account-bff');
});
