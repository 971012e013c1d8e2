import { afterEach, expect, test } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { createGateway, type Gateway } from '../../src/gateway/index.ts';

let gateway: Gateway | undefined;
afterEach(async () => gateway?.close());

const origin = 'https://account.example.com';
const start = (settings: Record<string, string>) => {
  gateway = createGateway({
    LOG_LEVEL: 'silent',
    AUTH0_DOMAIN: 'tenant.eu.auth0.com',
    AUTH0_CLIENT_ID: 'client',
    AUTH0_CLIENT_SECRET: 'secret',
    AUTH0_SECRET: 'x'.repeat(32),
    APP_BASE_URL: origin,
    ...settings,
  });
  return request(gateway.app);
};

test('passkey-endpoints names the account page, for making and for managing passkeys', async () => {
  const answer = await start({ WELL_KNOWN: '/account' }).get('/.well-known/passkey-endpoints');
  expect([answer.status, answer.type]).toEqual([200, 'application/json']);
  const page = `${origin}/account`;
  expect(answer.body).toEqual({ enroll: page, manage: page });
});

test('change-password leads to the account page', async () => {
  const answer = await start({ WELL_KNOWN: '/' }).get('/.well-known/change-password');
  expect([answer.status, answer.headers['location']]).toEqual([302, '/']);
});

test('another method is refused, and the gateway takes both as a guest', async () => {
  start({ WELL_KNOWN: '/' });
  const host = express().use(gateway?.app ?? []);
  host.use((_req, res) => void res.status(418).end());
  const asked = ['passkey-endpoints', 'change-password', 'other'].map(async (name) => {
    const { status } = await request(host).post(`/.well-known/${name}`);
    return status;
  });
  expect(await Promise.all(asked)).toEqual([405, 405, 418]);
});

test('without the setting they are the front end’s', async () => {
  const there = start({});
  expect((await there.get('/.well-known/passkey-endpoints')).status).toBe(404);
  expect((await there.get('/.well-known/change-password')).status).toBe(404);
});

test.each(['account', '//evil.example', '/\\evil.example', 'https://evil.example/', '/a b'])(
  'a path that is none of this origin stops the start: %s',
  (WELL_KNOWN) => {
    gateway = undefined;
    expect(() => start({ WELL_KNOWN })).toThrow(/WELL_KNOWN /);
  },
);
