-- Notes a session in one step: no list is ever left without an expiry, and none that is longer lived is cut short.
-- KEYS[1]: the list. ARGV: user or sid, the name, milliseconds it may live at most, and for a user's list the facts.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

return function(KEYS, ARGV)
  local key, kind, name, lasts = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
  if kind == 'user' then
    redis.call('HSET', key, name, struct.pack('>I6', now + lasts) .. ARGV[4])
    -- Each sign-in looks at a few names, whoever they are, and drops those that are over: the list stays in proportion to what lives, at a cost that never grows.
    local some = redis.call('HRANDFIELD', key, 4, 'WITHVALUES')
    for i = 1, #some, 2 do
      if #some[i + 1] < 6 or struct.unpack('>I6', some[i + 1]) <= now then
        redis.call('HDEL', key, some[i])
      end
    end
  else
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    redis.call('ZADD', key, now + lasts, name)
  end
  if redis.call('PTTL', key) < lasts then
    redis.call('PEXPIRE', key, lasts)
  end
  return 'done'
end
