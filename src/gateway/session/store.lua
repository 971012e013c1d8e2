-- Everything that must happen to a session entry in one step. The layout of the entry is told in store.ts. A second value ends a chain: no such session.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nobody = string.rep('\0', 8)
-- The holder in what is left of a session whose user signed in anew in the same browser.
local passed_on = 'passedon'

return function(KEYS, ARGV)
  local key, verb = KEYS[1], ARGV[1]
  if verb == 'now' then
    return now
  end

  local value = redis.call('GET', key)
  if not value then
    if verb == 'tombstone' then
      -- Listed and not written: a sign-in may be about to write it, and must find the place taken.
      redis.pcall('SET', key, struct.pack('>BI4I6I6', 1, 0, now + 60000, now) .. string.rep('\0', 20), 'PX', 60000)
    end
    return { 'gone' }, true
  end
  -- No entry of any gateway's: the session it was in the place of has ended.
  if #value < 37 then
    redis.call('DEL', key)
    return { 'gone' }, true
  end
  local _, generation, endsAt, _, holder, untilMs, spent = struct.unpack('>BI4I6I6c8I6I6', value)
  if endsAt <= now then
    redis.call('DEL', key)
    return { 'gone' }, true
  end

  if generation == 0 and holder == passed_on then
    return { 'gone', 'passed_on' }, true
  end
  if verb == 'end' then
    redis.call('DEL', key)
    return { generation > 0 and 'done' or 'gone' }
  end
  -- Generation 0 marks a tombstone: gone for every verb but the one that takes what is left of it.
  if generation == 0 then
    if verb == 'reclaim' then
      redis.call('DEL', key)
      return { 'taken', value }
    end
    return { 'gone', 'buried' }, true
  end
  if verb == 'reclaim' then
    return { 'gone' }
  end
  if verb == 'tombstone' then
    local head = struct.pack('>I4', 0) .. value:sub(6, 17) .. struct.pack('>I4', generation) .. string.rep('\0', 16)
    local written = redis.pcall('SETRANGE', key, 1, head)
    if type(written) == 'table' then
      -- A Redis that is full takes no writes but this: an end is an end, with or without a tombstone.
      redis.call('DEL', key)
    elseif redis.call('PTTL', key) > tonumber(ARGV[2]) then
      redis.call('PEXPIRE', key, ARGV[2])
    end
    return { 'done' }
  end

  if verb == 'pass on' then
    local left = struct.pack('>BI4I6I6c8', 1, 0, now + ARGV[2], now, passed_on) .. string.rep('\0', 12)
    if redis.pcall('SET', key, left, 'PX', ARGV[2]).err then
      redis.call('DEL', key)
    end
    return { 'done' }
  end

  if verb == 'read' then
    local idle = tonumber(ARGV[2])
    local left
    if idle > 0 then
      left = math.min(idle, endsAt - now)
      redis.call('PEXPIRE', key, left)
    else
      left = redis.call('PTTL', key)
    end
    return { 'found', value, now, left }
  end

  if verb == 'replace' then
    local over, by = tonumber(ARGV[2]), ARGV[3]
    if generation ~= over then
      return { 'stale' }
    end
    -- Whoever spent the generation before may still bring its answer, but never under the hands of whoever spends it now.
    if by ~= '' and by ~= holder and holder ~= nobody and untilMs > now then
      return { 'held' }
    end
    redis.call('SET', key, ARGV[4], 'KEEPTTL')
    return { 'replaced' }
  end

  local function mark(who, lasts, spentAt)
    redis.call('SETRANGE', key, 17, struct.pack('>c8I6I6', who, lasts, spentAt))
  end

  if verb == 'lease' or verb == 'abandon' then
    local mine, lasts, writes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
    if generation ~= mine then
      return { 'superseded', value, now, redis.call('PTTL', key) }
    end
    -- The clock was set back: no lease holds longer than it was given for.
    if holder ~= nobody and (untilMs > now + lasts or spent > now) then
      untilMs, spent = math.min(untilMs, now + lasts), math.min(spent, now)
      mark(holder, untilMs, spent)
    end
    -- Until when whoever was given it last may write, counted from the last sign of life.
    local final = spent > 0 and untilMs - lasts + writes or math.huge
    if verb == 'abandon' then
      if final > now then
        return { 'kept' }
      end
      redis.call('DEL', key)
      return { 'done' }
    end
    local asker, leeway = ARGV[5], tonumber(ARGV[6])
    local since = spent > 0 and now - spent or -1
    if untilMs > now then
      return { 'busy', untilMs - now, since }
    end
    if spent > 0 and since >= leeway then
      if final > now then
        return { 'busy', final - now, since }
      end
      return { 'abandoned', since }
    end
    mark(asker, now + lasts, spent > 0 and spent or now)
    return { 'acquired', now }
  end

  if holder ~= ARGV[2] then
    return { 'stale' }
  end
  if verb == 'renew' then
    mark(holder, now + tonumber(ARGV[3]), spent)
  else
    mark(nobody, now + tonumber(ARGV[3]), 0)
  end
  return { 'done' }
end
