import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRelayedFleet, until, type RelayedFleet } from '../helpers/relayed-fleet.ts';
import type { Person } from '../helpers/person.ts';

let fleet: RelayedFleet;
afterEach(async () => fleet.close());

const methods = '/api/me/v1/authentication-methods';
const many = 10;

/** Ten people whose access tokens have just ended, each with a refresh under way at the first gateway whose answer is on its way. */
const underWay = async (
  leewaySeconds: number,
): Promise<{ people: Person[]; asked: Promise<unknown> }> => {
  fleet = await startRelayedFleet({ leewaySeconds });
  const people: Person[] = [];
  for (let i = 0; i < many; i += 1) people.push(await fleet.signedIn());
  await sleep(1_100);
  // Those that come now last: a busy machine may need more than a second from a token to its use.
  fleet.tenant.configure({ tokens: { accessTokenSeconds: 600 } });
  fleet.toTenant.holdAnswersTo('grant_type=refresh_token', many);
  const asked = Promise.allSettled(people.map(async (person) => person.call('GET', methods)));
  await until('all tokens were spent and their answers wait', () => fleet.toTenant.held() === many);
  return { people, asked };
};

/** What each is answered in the end: a machine that is busy may ask them to come back later. */
const statuses = async (people: readonly Person[]): Promise<number[]> =>
  Promise.all(
    people.map(async (person) => {
      let status = 503;
      await until('it is no longer asked to come back later', async () => {
        ({ status } = await person.call('GET', methods));
        return status !== 503;
      });
      return status;
    }),
  );
/** The API refuses the tokens of today, so each is refreshed once more: answers what came of it. */
const refreshedAgain = async (people: readonly Person[]): Promise<number[]> => {
  const before = fleet.refreshes().length;
  fleet.tenant.faults.add({ path: '/me/', times: people.length, status: 401, body: {} });
  const seen = await statuses(people);
  expect(fleet.refreshes().length).toBe(before + people.length);
  expect(fleet.refreshes().filter((status) => status !== 200)).toEqual([]);
  return seen;
};
const all = (status: number): number[] => Array.from({ length: many }, () => status);
const lapsed = async (): Promise<boolean> => {
  const entries = await fleet.entries();
  return (
    entries.length === many && entries.every(({ leaseLeftMs, spent }) => spent && leaseLeftMs < 0)
  );
};
const renewed = async (): Promise<boolean> => {
  const entries = await fleet.entries();
  return entries.length === many && entries.every(({ generation }) => generation === 2);
};

/** What takes the first gateway away from Redis for longer than a lease, and what brings it back; the answers arrive in between. */
const ways = {
  'was cut off from Redis': {
    away: () => fleet.gateways[0]?.toRedis.cut(),
    back: () => fleet.gateways[0]?.toRedis.mend(),
  },
  'was stopped': {
    away: () => process.kill(fleet.gateways[0]?.process.pid ?? 0, 'SIGSTOP'),
    back: () => process.kill(fleet.gateways[0]?.process.pid ?? 0, 'SIGCONT'),
  },
};

describe.each(Object.entries(ways))(
  'a gateway that %s while it refreshed ten sessions',
  (_name, { away, back }) => {
    test('writes late, and nobody is signed out nor is a token spent twice: its sibling waited (no leeway)', async () => {
      const { people, asked } = await underWay(0);
      away();
      await until('the leases lapsed', lapsed);
      fleet.turnTo(1);
      const meanwhile = await Promise.all(
        people.map(async (person) => person.call('GET', methods)),
      );
      expect(meanwhile.map(({ status }) => status)).toEqual(all(503));
      for (const { headers } of meanwhile)
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(1);
      expect(await fleet.entries()).toHaveLength(many);
      fleet.toTenant.release();
      back();
      await until('the late answers were written', renewed);
      expect(await statuses(people)).toEqual(all(200));
      await asked;
      expect(await fleet.gateways[0]?.process.stop(60_000)).toBe(0);
      expect(await refreshedAgain(people)).toEqual(all(200));
      expect(fleet.revocations()).toBe(0);
    });

    test('finds what its sibling wrote, takes that and revokes nothing (leeway 30 s)', async () => {
      const { people, asked } = await underWay(30);
      away();
      await until('the leases lapsed', lapsed);
      fleet.turnTo(1);
      expect(await statuses(people)).toEqual(all(200));
      fleet.toTenant.release();
      back();
      await asked;
      // It ends when all that it had begun is done.
      expect(await fleet.gateways[0]?.process.stop(60_000)).toBe(0);
      expect(fleet.revocations()).toBe(0);
      expect(await refreshedAgain(people)).toEqual(all(200));
    });
  },
);

test.each([0, 30])(
  'Redis itself was away for longer than a lease while ten sessions were refreshed: nobody is signed out (leeway %i s)',
  async (leewaySeconds) => {
    const { people, asked } = await underWay(leewaySeconds);
    fleet.redis.freeze();
    // Redis counts by the time of day: its leases lapse while it stands.
    await sleep(5_500);
    fleet.toTenant.release();
    fleet.turnTo(1);
    fleet.redis.thaw();
    expect(await statuses(people)).toEqual(all(200));
    await asked;
    expect(await fleet.gateways[0]?.process.stop(60_000)).toBe(0);
    expect(await refreshedAgain(people)).toEqual(all(200));
    expect(fleet.revocations()).toBe(0);
  },
);
