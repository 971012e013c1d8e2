import { retainMs, writeLastsMs } from './kept.ts';
import type { KeptAnswer, KeptStore } from './kept.ts';

interface Write {
  readonly done: boolean;
  readonly begun: number;
  readonly until: number;
  readonly print: Buffer;
  readonly outcome: Buffer;
}

interface Room {
  epoch: number;
  begun: number;
  under: number;
  underUntil: number;
  endsAt: number;
  readonly answers: Map<string, KeptAnswer & { readonly epoch: number }>;
  readonly writes: Map<string, Write>;
}

const mostRooms = 20_000;
const mostNames = 64;
const none = Buffer.alloc(0);

/** Keeps answers in this process, for one gateway without Redis: the same promises as in Redis. The clock can be handed in. */
export const createMemoryKept = (now: () => number = Date.now): KeptStore => {
  const rooms = new Map<string, Room>();

  const find = (key: string): Room | undefined => {
    const room = rooms.get(key);
    if (room === undefined || room.endsAt > now()) return room;
    rooms.delete(key);
    return undefined;
  };
  const enter = (key: string): Room => {
    const room = find(key) ?? { epoch: 0, begun: 0, under: 0, underUntil: 0, endsAt: 0, answers: new Map(), writes: new Map() };
    if (room.epoch === 0) room.epoch = Math.floor(now());
    room.endsAt = now() + retainMs;
    // Last used goes last: when there are too many rooms the one unused for longest makes way.
    rooms.delete(key);
    rooms.set(key, room);
    const [oldest] = rooms.keys();
    if (rooms.size > mostRooms && oldest !== undefined) rooms.delete(oldest);
    return room;
  };
  const current = (room: Room | undefined, name: string): KeptAnswer | undefined => {
    const kept = room?.answers.get(name);
    return kept?.epoch === room?.epoch ? kept : undefined;
  };

  return {
    look(key, name) {
      const room = find(key);
      return Promise.resolve({ epoch: room?.epoch ?? 0, now: now(), kept: current(room, name) });
    },
    names: (key, prefix) => Promise.resolve(new Set([...(find(key)?.answers.keys() ?? [])].filter((name) => name.startsWith(prefix)))),
    keep(key, name, epoch, sealed) {
      const known = find(key);
      if ((known?.epoch ?? 0) !== epoch) return Promise.resolve({ kind: 'moved', now: now(), kept: current(known, name) });
      if (known !== undefined && known.under > 0 && now() < known.underUntil)
        return Promise.resolve({ kind: 'open', now: now(), kept: undefined });
      const room = enter(key);
      if (room.answers.size + room.writes.size > mostNames) {
        room.answers.clear();
        room.writes.clear();
      }
      room.answers.set(name, { epoch: room.epoch, storedAt: now(), sealed });
      return Promise.resolve({ kind: 'kept', now: now(), kept: undefined });
    },
    begin(key, { name, explicit, print, prefix }) {
      const room = enter(key);
      const known = room.writes.get(name);
      if (known !== undefined && known.until > now() && (!known.done || explicit || known.begun === room.begun)) {
        if (!known.print.equals(print)) return Promise.resolve({ kind: 'other' });
        return Promise.resolve(known.done ? { kind: 'done', sealed: known.outcome } : { kind: 'busy' });
      }
      const answers = new Map<string, Buffer>();
      for (const [field, kept] of room.answers) if (field.startsWith(prefix) && kept.epoch === room.epoch) answers.set(field, kept.sealed);
      room.under = now() < room.underUntil ? room.under + 1 : 1;
      room.underUntil = now() + writeLastsMs;
      room.begun++;
      room.epoch++;
      room.writes.set(name, { done: false, begun: room.begun, until: room.underUntil, print, outcome: none });
      return Promise.resolve({ kind: 'begun', epoch: room.epoch, answers });
    },
    end(key, { name, print }, { epoch, how, answers, windowMs, outcome }) {
      const room = enter(key);
      const alone = room.epoch === epoch;
      room.under = Math.max(0, room.under - 1);
      room.epoch++;
      for (const [field, kept] of room.answers) {
        const sealed = how === 'untouched' ? kept.sealed : how === 'applied' ? answers.get(field) : undefined;
        const storedAt = how === 'applied' ? now() : kept.storedAt;
        if (alone && kept.epoch === epoch - 1 && sealed !== undefined) room.answers.set(field, { storedAt, epoch: room.epoch, sealed });
        else room.answers.delete(field);
      }
      const begun = room.writes.get(name)?.begun;
      if (windowMs > 0 && begun !== undefined) room.writes.set(name, { done: true, begun, until: now() + windowMs, print, outcome });
      else room.writes.delete(name);
      return Promise.resolve();
    },
  };
};
