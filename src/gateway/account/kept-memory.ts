import { retainMs, writeLastsMs } from './kept.ts';
import type { KeptAnswer, KeptStore } from './kept.ts';

interface Room {
  epoch: number;
  under: number;
  underUntil: number;
  endsAt: number;
  readonly answers: Map<string, KeptAnswer & { readonly epoch: number }>;
}

const mostRooms = 20_000;
const mostNames = 64;

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
    const room = find(key) ?? { epoch: 0, under: 0, underUntil: 0, endsAt: 0, answers: new Map() };
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
      if (room.answers.size > mostNames) room.answers.clear();
      room.answers.set(name, { epoch: room.epoch, storedAt: now(), sealed });
      return Promise.resolve({ kind: 'kept', now: now(), kept: undefined });
    },
    begin(key, prefix) {
      const room = enter(key);
      const answers = new Map<string, Buffer>();
      for (const [field, kept] of room.answers) if (field.startsWith(prefix) && kept.epoch === room.epoch) answers.set(field, kept.sealed);
      room.under = now() < room.underUntil ? room.under + 1 : 1;
      room.underUntil = now() + writeLastsMs;
      room.epoch++;
      return Promise.resolve({ epoch: room.epoch, answers });
    },
    end(key, { epoch, how, answers }) {
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
      return Promise.resolve();
    },
  };
};
