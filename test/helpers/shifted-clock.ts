// Loaded first into a process (node --import), it lets that process live CLOCK_OFFSET_SECONDS ahead of the machine, or behind it: its wall
// clock and the Date of its answers. Time that only passes (timers, performance.now) passes as ever.
import { Server, type ServerResponse } from 'node:http';

const offsetMs = Number(process.env['CLOCK_OFFSET_SECONDS']) * 1000;
if (!Number.isFinite(offsetMs)) throw new Error('CLOCK_OFFSET_SECONDS is not a number');

const Machine = Date;
globalThis.Date = class extends Machine {
  constructor(...given: [] | ConstructorParameters<typeof Date>) {
    if (given.length === 0) super(Machine.now() + offsetMs);
    else super(...given);
  }
  static override now(): number {
    return Machine.now() + offsetMs;
  }
} as DateConstructor;

// Node writes the Date of an answer from the machine's clock, which no program can move.
const emit = Reflect.get(Server.prototype, 'emit') as (
  this: Server,
  event: string,
  ...rest: unknown[]
) => boolean;
Server.prototype.emit = function (this: Server, event: string, ...rest: unknown[]): boolean {
  if (event === 'request') (rest[1] as ServerResponse).setHeader('Date', new Date().toUTCString());
  return emit.call(this, event, ...rest);
};
