-- One more attempt in a window that begins with the first. KEYS[1] the counter; ARGV: limit, window in milliseconds.
-- Answers the milliseconds until the next attempt is allowed; 0 when this one is. A refused attempt does not lengthen the wait.
return function(KEYS, ARGV)
  local seen = tonumber(redis.call('GET', KEYS[1]))
  if not seen or seen ~= math.floor(seen) then
    redis.call('DEL', KEYS[1])
    seen = 0
  end
  if seen >= tonumber(ARGV[1]) then
    return math.max(redis.call('PTTL', KEYS[1]), 1)
  end
  if redis.call('INCR', KEYS[1]) == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  return 0
end
