import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createCookieReader } from '../../../../src/gateway/session/cookie-reader.ts';
import { newTicket, readTicket } from '../../../../src/gateway/session/ticket.ts';

const name = 'my_account_session';
const [current, former] = ['the key that signs', 'the key before it'];
const signed = (ticket: string, key = current): string =>
  encodeURIComponent(
    `s:${ticket}.${createHmac('sha256', key).update(ticket).digest('base64').replace(/=+$/, '')}`,
  );
const keyOf = (ticket: string): string | undefined => readTicket(ticket)?.key;

describe('a session cookie', () => {
  const read = createCookieReader(name, [current, former]);
  const keys = (header: string | undefined): string[] => read(header).tickets.map(({ key }) => key);

  test('is found among others, signed by any of the secrets', () => {
    const [one, two] = [newTicket(), newTicket()];
    expect(keys(`a=b; ${name}=${signed(one)}; c=d`)).toEqual([keyOf(one)]);
    expect(keys(`${name}=${signed(two, former)}`)).toEqual([keyOf(two)]);
    expect(keys(undefined)).toEqual([]);
  });

  test('is the same ticket when it comes again, so that what was derived from it is kept', () => {
    const cookie = `${name}=${signed(newTicket())}`;
    expect(read(cookie).tickets[0]).toBe(read(cookie).tickets[0]);
  });

  test.each([
    ['unsigned', (ticket: string) => encodeURIComponent(`s:${ticket}`)],
    ['signed with another key', (ticket: string) => signed(ticket, 'a key of nobody')],
    [
      'with another ticket under the signature',
      (ticket: string) => signed(newTicket()).replace(/^s%3A[\w-]+/, `s%3A${ticket}`),
    ],
    ['with its signature cut', (ticket: string) => signed(ticket).slice(0, -4)],
    ['without its mark', (ticket: string) => signed(ticket).replace('s%3A', '')],
    ['empty', () => ''],
  ])('%s is none, before and after the true one was seen', (_what, forge) => {
    const ticket = newTicket();
    const forged = `${name}=${forge(ticket)}`;
    expect(keys(forged)).toEqual([]);
    expect(keys(`${name}=${signed(ticket)}`)).toEqual([keyOf(ticket)]);
    expect(keys(forged)).toEqual([]);
  });

  test('of another name that ends or begins alike is not read', () => {
    const value = signed(newTicket());
    expect(keys(`x${name}=${value}; __Host-${name}=${value}; ${name}x=${value}`)).toEqual([]);
  });

  test('sent twice gives both, in the order sent; a broken one hides no good one', () => {
    const [one, two] = [newTicket(), newTicket()];
    expect(keys(`${name}=${signed(one)}; ${name}=${signed(two)}`)).toEqual([
      keyOf(one),
      keyOf(two),
    ]);
    expect(keys(`${name}=broken; ${name}=${signed(two)}`)).toEqual([keyOf(two)]);
  });

  test('behind a space, inside of another cookie, is not read', () => {
    const value = signed(newTicket());
    for (const before of ['x=y ', 'x=y\t', 'x=', 'x=y, ', '\u00a0', 'x="a '])
      expect(keys(`${before}${name}=${value}`)).toEqual([]);
  });

  test('sent twice with one value is one', () => {
    const cookie = `${name}=${signed(newTicket())}`;
    expect(read(`${cookie}; ${cookie}`)).toMatchObject({
      tickets: { length: 1 },
      sent: 2,
      crowded: false,
    });
  });

  test('among 500 of another form is found, since those cost nothing', () => {
    const good = newTicket();
    const many = Array.from({ length: 500 }, () => `${name}=s%3Ax.y`).join('; ');
    expect(keys(`${many}; ${name}=${signed(good)}`)).toEqual([keyOf(good)]);
  });

  test('behind four of its form is not looked for, and that is said', () => {
    const crowd = Array.from(
      { length: 4 },
      () => `${name}=${signed(newTicket(), 'a key of nobody')}`,
    ).join('; ');
    expect(read(crowd)).toMatchObject({ tickets: [], sent: 4, crowded: false });
    expect(read(`${crowd}; ${name}=${signed(newTicket())}`)).toMatchObject({
      tickets: [],
      sent: 5,
      crowded: true,
    });
  });
});
