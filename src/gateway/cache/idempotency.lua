-- The changes of one user that were begun, every step at once and on this server's clock (see idempotency-store.ts).
-- b:AREA: how many were begun there. Any other field: a change, as state 1 byte (0 begun, 1 done), number 6, until when it is remembered 6,
-- fingerprint 16, then until when the gateway that sends it is believed to live 6, or the sealed outcome.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local SWEEP_AT, MOST = 128, 512

return function(KEYS, ARGV)
  local key, verb, name = KEYS[1], ARGV[1], ARGV[2]
  local known = redis.call('HGET', key, name)
  local state, number, till, print
  -- Junk in its place says nothing of what became of the change.
  local junk = known and #known < 29
  if known and not junk then
    state, number, till, print = struct.unpack('>BI6I6c16', known)
  end

  local function write(which, lasts, tail)
    redis.call('HSET', key, name, struct.pack('>BI6I6c16', which, number, now + lasts, print) .. tail)
    if redis.call('PTTL', key) < lasts then
      redis.call('PEXPIRE', key, lasts)
    end
  end
  local function lease(lasts)
    return struct.pack('>I6', now + lasts)
  end

  if verb == 'claim' then
    local area, explicit, asked = 'b:' .. ARGV[3], ARGV[4] == '1', ARGV[5]
    local begun = tonumber(redis.call('HGET', key, area)) or 0
    if junk then
      return { 'unknown' }
    end
    if known and till > now then
      local sending = state == 0 and #known >= 35 and struct.unpack('>I6', known, 30) > now
      -- One that nobody named is a repeat only until another change has begun.
      if explicit or sending or number == begun then
        if print ~= asked then
          return { 'other' }
        end
        if state == 0 then
          return { sending and 'busy' or 'unknown' }
        end
        return { 'done', string.sub(known, 30) }
      end
    end
    -- What is remembered is promised: none makes way for another before its time.
    if redis.call('HLEN', key) > SWEEP_AT then
      local all = redis.call('HGETALL', key)
      for i = 1, #all, 2 do
        local value = all[i + 1]
        if string.sub(all[i], 1, 2) ~= 'b:' and (#value < 13 or select(3, struct.unpack('>BI6I6', value)) <= now) then
          redis.call('HDEL', key, all[i])
        end
      end
      if redis.call('HLEN', key) > MOST then
        return { 'full' }
      end
    end
    number, print = begun + 1, asked
    redis.call('HSET', key, area, number)
    write(0, tonumber(ARGV[7]), lease(tonumber(ARGV[6])))
    return { 'claimed', number }
  end

  -- Whoever claimed it may find that it was claimed anew meanwhile.
  if not known or junk or number ~= tonumber(ARGV[3]) then
    return { 'gone' }
  end
  if verb == 'hold' then
    if state == 0 then
      redis.call('HSET', key, name, string.sub(known, 1, 29) .. lease(tonumber(ARGV[4])))
    end
  elseif verb == 'forget' then
    redis.call('HDEL', key, name)
  elseif verb == 'unknown' then
    write(0, tonumber(ARGV[4]), lease(0))
  else
    write(1, tonumber(ARGV[4]), ARGV[5])
  end
  return { 'done' }
end
