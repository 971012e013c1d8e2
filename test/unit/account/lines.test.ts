import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { createLines, type Line } from '../../../src/gateway/account/lines.ts';

const open = (bound: number) => {
  let made = 0;
  let ended = 0;
  const connect = () => {
    made += 1;
    return Object.assign(new EventEmitter(), { destroy: () => Promise.resolve(void (ended += 1)) }) as never;
  };
  return { lines: createLines(connect, bound), made: () => made, ended: () => ended };
};

test('no more connections than the bound; whoever comes when all are taken waits, and is served in order', () => {
  const { lines, made } = open(2);
  const held: Line[] = [];
  const order: number[] = [];
  for (const who of [0, 1, 2, 3])
    lines.take((line) => {
      order.push(who);
      held.push(line);
    });
  expect([order, made()]).toEqual([[0, 1], 2]);
  for (const line of held.splice(0)) lines.giveBack(line, false);
  expect([order, made()]).toEqual([[0, 1, 2, 3], 2]);
});

test('a line that never came to be open makes way for a new one, and one that waited gets it', () => {
  const { lines, made, ended } = open(1);
  let second: Line | undefined;
  lines.take((line) => {
    lines.take((other) => (second = other));
    lines.giveBack(line, true);
    expect(second).not.toBe(line);
  });
  expect([second === undefined, made(), ended()]).toEqual([false, 2, 1]);
});
