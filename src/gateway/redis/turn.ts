import { createHash } from 'node:crypto';
import { skipped, unpack } from './packed.ts';

/** What a command takes. */
export type Argument = string | Buffer | number;

/** Runs Lua on the server by its digest, in full when the server does not know it; replies are buffers, numbers, null, errors and arrays of them. */
export type Evaluate = (lua: string, digest: string, keys: readonly string[], args: readonly Argument[]) => Promise<unknown>;

/** One call of one script. */
interface Call {
  readonly script: number;
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
  /** Told `skipped` when a call before it in its chain said that this one is not wanted. */
  readonly done: (reply: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** Calls that belong together: each runs after the one before it, unless that one said stop. */
export type Chain = Call[];

// So many chains go at once, without waiting for the end of the turn: the server works on them while the rest are made ready. All in one call, 32 readers
// fell into step with it, and the processor had nothing to do for a fifth of the time. Fewer to a call cost more calls than they save.
const chainsAtMost = 16;
// Fewer than these wait for so many more turns as their caller has patience: a turn is some tens of microseconds, and of a busy gateway's calls a third fewer go.
const fewChains = 8;

const pair = (number: number): string => String.fromCharCode(number & 127, number >> 7);

// What is called, in one argument: for each chain how many calls, for each call which script, how many arguments and how many keys; the first two in two
// digits to the base of 128, the lower one first. As arguments of their own they were a third of all, and each has its price on both sides.
const planOf = (chains: readonly Chain[]): string => {
  let plan = '';
  for (const chain of chains) {
    plan += String.fromCharCode(chain.length);
    for (const { script, keys, args } of chain) plan += pair(script) + pair(args.length) + String.fromCharCode(keys.length);
  }
  return plan;
};

// Each script makes a function of KEYS and ARGV; what stands before that is done once for all its calls that come together. A second value the function
// returns ends its chain. A server that may not write at present (a replica, after a failover) says so once, for all.
const wrap = (sources: readonly string[]): string => `
local sources, scripts = {
${sources.map((source) => `function()\n${source}\nend`).join(',\n')}
}, {}
local function run(which, keys, args)
  scripts[which] = scripts[which] or sources[which]()
  return scripts[which](keys, args)
end
local plan, replies, key, arg, at, stopped = ARGV[1], {}, 0, 1, 1, false
while at <= #plan do
  local chain = string.byte(plan, at)
  at, stopped = at + 1, false
  for _ = 1, chain do
    local which, more, argCount, high, keyCount = string.byte(plan, at, at + 4)
    local keys, args = {}, {}
    which, argCount = which + 128 * more, argCount + 128 * high
    for i = 1, keyCount do keys[i] = KEYS[key + i] end
    for i = 1, argCount do args[i] = ARGV[arg + i] end
    key, arg, at = key + keyCount, arg + argCount, at + 5
    local value, stop = { skipped = true }, true
    if not stopped then
      local ok
      ok, value, stop = pcall(run, which, keys, args)
      if not ok then
        local text = type(value) == 'table' and value.err or tostring(value)
        -- A refusal of the server's has a code of its own (OOM, READONLY), a fault of the script's has none.
        value = { err = string.find(text, '^%u+ ') and text or 'ERR ' .. text }
        if string.sub(value.err, 1, 8) == 'READONLY' then return value end
        stop = true
      end
      stopped = stop
    end
    replies[#replies + 1] = value == nil and false or value
  end
end
replies[#replies + 1] = stopped and 1 or 0
return cmsgpack.pack(replies)`;

/** All script calls of one turn of the event loop in as few calls to the server as is good, whoever's they are. Chains do not see each other's failures. With patience few wait for as many turns more. */
export function createTurn(evaluate: Evaluate, together: boolean, patience = 0) {
  const sources: string[] = [];
  let whole: { lua: string; digest: string } | undefined;
  let waiting: Chain[] = [];

  /** Answers whether the last chain was stopped. */
  const send = async (chains: readonly Chain[]): Promise<boolean> => {
    const keys: string[] = [];
    const args: Argument[] = [planOf(chains)];
    for (const chain of chains) {
      for (const call of chain) {
        for (const key of call.keys) keys.push(key);
        for (const arg of call.args) args.push(arg);
      }
    }
    const calls = chains.length === 1 ? (chains[0] ?? []) : chains.flat();
    try {
      whole ??= digested(wrap(sources));
      const replies = unpack((await evaluate(whole.lua, whole.digest, keys, args)) as Buffer) as unknown[];
      for (let i = 0; i < calls.length; i += 1) {
        const reply = replies[i];
        if (reply instanceof Error) calls[i]?.failed(reply);
        else calls[i]?.done(reply);
      }
      return replies[calls.length] === 1;
    } catch (error) {
      for (const call of calls) call.failed(error);
      return true;
    }
  };

  const oneByOne = async (chain: Chain): Promise<void> => {
    let stopped = false;
    for (const call of chain) {
      if (stopped) call.done(skipped);
      else stopped = await send([[call]]);
    }
  };

  const flush = (): void => {
    const all = waiting;
    waiting = [];
    if (all.length > 0) void send(all);
  };

  const endOfTurn = (turns: number): void => {
    if (turns > 0 && waiting.length < fewChains) setImmediate(endOfTurn, turns - 1);
    else flush();
  };

  return {
    /** Takes a script in, before its first call. */
    add(lua: string): number {
      whole = undefined;
      return sources.push(lua);
    },
    /** Sends a chain with all others of this turn. */
    send(chain: Chain): void {
      if (!together) void oneByOne(chain);
      else if (waiting.push(chain) === 1) setImmediate(endOfTurn, patience);
      else if (waiting.length === chainsAtMost) flush();
    },
  };
}

const digested = (lua: string): { lua: string; digest: string } => ({ lua, digest: createHash('sha1').update(lua).digest('hex') });
