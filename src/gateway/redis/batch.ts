import type { ScriptRunner } from './connection.ts';

/** What a command takes. */
export type Argument = string | Buffer | number;

/** The type of what a script keeps under a key. */
export type KeyType = 'string' | 'hash' | 'zset';

/** A script, and what it keeps under each of its keys. */
interface Source {
  readonly lua: string;
  readonly keys: readonly KeyType[];
}

/** One call of one script. */
interface Call {
  readonly script: number;
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
  /** Called with `skipped` when a call before it in its pipeline stopped it. */
  readonly done: (reply: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** Calls that belong together: each runs after the one before it, unless that one stopped. */
export type Calls = Call[];

/** What a call is answered that did not run because one before it in its pipeline stopped. */
export const skipped = Symbol('skipped');

// So many pipelines go at once, without waiting for the end of the turn: the server works on them
// while the rest are made ready. All in one call, 32 readers fell into step with it, and the
// processor had nothing to do for a fifth of the time. Fewer to a call cost more than they save.
const pipelinesAtMost = 16;

// ARGV[1] is the plan in decimal: for each pipeline the number of its calls, for each call its
// script, how many keys and how many arguments. Each script makes a function of KEYS and ARGV; what
// stands before that is done once for all its calls of a batch. A second value the function returns
// ends its pipeline. A server that may not write at present (a replica, after a failover) says so
// once, for all. The first part of the reply is how many calls of each pipeline ran, negative where
// the last of them stopped or failed; the replies of those that ran follow. A key that holds another
// type than its script keeps there holds junk: it is deleted and the call runs once more, since it
// would fail for ever.
const batchOf = (sources: readonly Source[]): string => `
local sources, scripts = {
${sources.map(({ lua }) => `function()\n${lua}\nend`).join(',\n')}
}, {}
local types = {
${sources.map(({ keys }) => `{ ${keys.map((type) => `'${type}'`).join(', ')} }`).join(',\n')}
}
local function run(which, keys, args)
  scripts[which] = scripts[which] or sources[which]()
  return scripts[which](keys, args)
end
local function wrongtype(err)
  return string.find(type(err) == 'table' and err.err or tostring(err), 'WRONGTYPE', 1, true)
end
local function delete_junk(which, keys)
  for i, expected in ipairs(types[which]) do
    local found = keys[i] and redis.call('TYPE', keys[i]).ok
    if found and found ~= 'none' and found ~= expected then redis.call('DEL', keys[i]) end
  end
end
local plan, replies, ran, key, arg = {}, { '' }, {}, 0, 1
for number in string.gmatch(ARGV[1], '%d+') do plan[#plan + 1] = tonumber(number) end
local at = 1
while at <= #plan do
  local calls, count, stopped = plan[at], 0, false
  at = at + 1
  for _ = 1, calls do
    local which, key_count, arg_count = plan[at], plan[at + 1], plan[at + 2]
    local keys, args = {}, {}
    for i = 1, key_count do keys[i] = KEYS[key + i] end
    for i = 1, arg_count do args[i] = ARGV[arg + i] end
    key, arg, at = key + key_count, arg + arg_count, at + 3
    if not stopped then
      local ok, value, stop = pcall(run, which, keys, args)
      if not ok and wrongtype(value) then
        delete_junk(which, keys)
        ok, value, stop = pcall(run, which, keys, args)
      end
      if not ok then
        local text = type(value) == 'table' and value.err or tostring(value)
        -- A refusal of the server's has a code of its own (OOM, READONLY), a fault of the script's has none.
        value = { err = string.find(text, '^%u+ ') and text or 'ERR ' .. text }
        if string.sub(value.err, 1, 8) == 'READONLY' then return value end
        stop = true
      end
      stopped, count = stop, count + 1
      replies[#replies + 1] = value == nil and false or value
    end
  end
  ran[#ran + 1] = stopped and -count or count
end
replies[1] = table.concat(ran, ' ')
return replies`;

/**
 * Sends all script calls of one turn of the event loop in as few calls to the server as is good,
 * whoever's they are. Pipelines do not see each other's failures. Where the calls may not go
 * `together` (a Cluster takes no script over keys of two slots) each goes alone.
 */
export function createBatch(run: ScriptRunner, together: boolean) {
  const sources: Source[] = [];
  let lua: string | undefined;
  let waiting: Calls[] = [];

  /** Resolves to whether the last pipeline was stopped; never rejects. */
  const send = async (pipelines: readonly Calls[]): Promise<boolean> => {
    const keys: string[] = [];
    const args: Argument[] = [];
    let plan = '';
    for (const calls of pipelines) {
      plan += `${calls.length} `;
      for (const call of calls) {
        plan += `${call.script} ${call.keys.length} ${call.args.length} `;
        for (const key of call.keys) keys.push(key);
        for (const arg of call.args) args.push(arg);
      }
    }
    try {
      lua ??= batchOf(sources);
      const [first, ...replies] = (await run(lua, keys, [plan, ...args])) as unknown[];
      const ran = String(first).split(' ').map(Number);
      let next = 0;
      pipelines.forEach((calls, index) => {
        const count = Math.abs(ran[index] ?? 0);
        calls.forEach((call, place) => {
          const reply = place < count ? replies[next++] : skipped;
          if (reply instanceof Error) call.failed(reply);
          else call.done(reply);
        });
      });
      return (ran.at(-1) ?? -1) < 0;
    } catch (error) {
      for (const calls of pipelines) for (const call of calls) call.failed(error);
      return true;
    }
  };

  const oneByOne = async (calls: Calls): Promise<void> => {
    let stopped = false;
    for (const call of calls) {
      if (stopped) call.done(skipped);
      else stopped = await send([[call]]);
    }
  };

  const flush = (): void => {
    const all = waiting;
    waiting = [];
    if (all.length > 0) void send(all);
  };

  return {
    /** Takes a script in, before its first call, and returns its number. */
    add(source: Source): number {
      lua = undefined;
      return sources.push(source);
    },
    /** Sends a pipeline with all others of this turn. */
    send(calls: Calls): void {
      if (!together) void oneByOne(calls);
      else if (waiting.push(calls) === 1) setImmediate(flush);
      else if (waiting.length === pipelinesAtMost) flush();
    },
  };
}

/** See createBatch. */
export type Batch = ReturnType<typeof createBatch>;
