import { describe, expect, test } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { createFewATurn } from '../../../src/gateway/http/few-a-turn.ts';

describe('what can wait', () => {
  test('is run in order, so many in a turn of the event loop, whenever it came', async () => {
    const later = createFewATurn(4);
    const ran: number[] = [];
    const add = (from: number, to: number): void => {
      for (let i = from; i < to; i += 1) later(() => ran.push(i));
    };
    add(0, 6);
    expect(ran).toEqual([]);
    await turn();
    expect(ran).toEqual([0, 1, 2, 3]);
    add(6, 11);
    await turn();
    expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await turn();
    expect(ran).toHaveLength(11);
    add(11, 12);
    await turn();
    expect(ran).toEqual(Array.from({ length: 12 }, (_, i) => i));
  });

  test('is let go of once it ran, however much comes while some waits', async () => {
    const later = createFewATurn(2);
    let ran = 0;
    for (let i = 0; i < 3_000; i += 1) later(() => (ran += 1));
    for (let i = 0; ran < 3_000; i += 1) {
      if (i > 1_600) throw new Error(`${ran} ran in ${i} turns`);
      await turn();
    }
    expect(ran).toBe(3_000);
  });
});
