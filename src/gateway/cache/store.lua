-- The answers cached of one part of one user's account (see store.ts), every step at once and on this server's clock.
-- A second value ends a pipeline: something is cached.
-- e: epoch, goes up whenever a write begins or ends; n, w: writes under way, and until when that is believed.
-- r:...: an answer, as epoch 6 bytes, stored 6, sealed bytes.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function current(value, epoch)
  if not value or #value < 12 then
    return nil
  end
  local at, stored = struct.unpack('>I6I6', value)
  if at ~= epoch then
    return nil
  end
  return stored, string.sub(value, 13)
end

return function(KEYS, ARGV)
  local key, verb, retain = KEYS[1], ARGV[1], ARGV[2]

  -- The two steps of every read ask for all they need at once.
  if verb == 'get' then
    local found = redis.call('HMGET', key, 'e', ARGV[3])
    local e = tonumber(found[1]) or 0
    local stored, bytes = current(found[2], e)
    if stored then
      return { e, now, stored, bytes }, true
    end
    return { e, now }
  end

  if verb == 'names' then
    local names = {}
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if string.sub(field, 1, #ARGV[3]) == ARGV[3] then
        names[#names + 1] = field
      end
    end
    return names
  end

  if verb == 'put' then
    local found = redis.call('HMGET', key, 'e', 'n', 'w')
    local e, under, till = tonumber(found[1]) or 0, tonumber(found[2]) or 0, tonumber(found[3]) or 0
    if e ~= tonumber(ARGV[4]) then
      local stored, bytes = current(redis.call('HGET', key, ARGV[3]), e)
      if stored then
        return { 'moved', e, now, stored, bytes }
      end
      return { 'moved', e, now }
    end
    if under > 0 and now < till then
      return { 'open', e, now }
    end
    if e == 0 then
      e = now
      redis.call('HSET', key, 'e', e)
    end
    if redis.call('HLEN', key) > 64 then
      for _, field in ipairs(redis.call('HKEYS', key)) do
        if string.sub(field, 2, 2) == ':' then
          redis.call('HDEL', key, field)
        end
      end
    end
    redis.call('HSET', key, ARGV[3], struct.pack('>I6I6', e, now) .. ARGV[5])
    redis.call('PEXPIRE', key, retain)
    return { 'put', e, now }
  end

  local function number(field)
    return tonumber(redis.call('HGET', key, field)) or 0
  end
  local e = number('e')

  local function answers(prefix, epoch, visit)
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      local field, value = all[i], all[i + 1]
      if string.sub(field, 1, #prefix) == prefix and #value >= 12 then
        local at, stored = struct.unpack('>I6I6', value)
        if at == epoch then
          visit(field, stored, string.sub(value, 13))
        end
      end
    end
  end

  if verb == 'begin' then
    local prefix, lasts = ARGV[3], tonumber(ARGV[4])
    local reply = { 0 }
    answers(prefix, e, function(field, _, bytes)
      reply[#reply + 1] = field
      reply[#reply + 1] = bytes
    end)
    e = (e == 0 and now or e) + 1
    reply[1] = e
    local under = now < number('w') and number('n') or 0
    redis.call('HSET', key, 'e', e, 'n', under + 1, 'w', now + lasts)
    redis.call('PEXPIRE', key, retain)
    return reply
  end

  -- end
  local began, how = tonumber(ARGV[3]), ARGV[4]
  local alone = e == began
  local following = (e == 0 and now or e) + 1
  redis.call('HSET', key, 'e', following, 'n', math.max(0, number('n') - 1))
  if alone and how == 'untouched' then
    answers('r:', began - 1, function(field, stored, bytes)
      redis.call('HSET', key, field, struct.pack('>I6I6', following, stored) .. bytes)
    end)
  end
  if alone and how == 'applied' then
    for i = 5, #ARGV, 2 do
      local value = redis.call('HGET', key, ARGV[i])
      if value and #value >= 12 then
        if struct.unpack('>I6', value) == began - 1 then
          -- Brought up to date by the API's own word: from here its time runs anew.
          redis.call('HSET', key, ARGV[i], struct.pack('>I6I6', following, now) .. ARGV[i + 1])
        end
      end
    end
  end
  redis.call('PEXPIRE', key, retain)
  return following
end
