-- One decision about the budget, whole, on this server's clock. The same rules as memory-ledger.ts; budget.test.ts holds both to them.
-- KEYS: 1 the tenant's state, 2 the user's state, 3 the line of the class, 4 when places in it lapse, 5 the gateways. All share one hash tag.
-- ARGV: 1 operation, 2 class, 3 the epoch the caller knows, then the operation's own.
-- Before it stands `local limits`, {class: {tenant: {perMs, burst}, user: ..., reserve}}: the same for every call of a gateway (see redis-ledger.ts).
-- Levels and times are milliseconds and fractions of tokens; they leave as strings, or Redis would cut them to whole numbers.
local op, class, epoch = ARGV[1], ARGV[2], ARGV[3]
local classes = { 'read', 'write', 'filtered' }
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
-- After a slowdown the rate comes back by a twentieth of the whole each second; it never falls below that.
local RECOVERY_PER_MS, LOWEST, JUMP_MS = 0.05 / 1000, 0.05, 120000

local packed = redis.call('GET', KEYS[1])
local tenant = packed and cmsgpack.unpack(packed)
if epoch ~= '' and (not tenant or tenant.epoch ~= epoch) then
  return { 'forgotten' }
end
if not tenant then
  tenant = { epoch = string.format('%.3f', now) }
  for _, name in ipairs(classes) do
    -- Not full: what was spent before this server knew of it is unknown.
    tenant[name] = { level = 1, at = now, virtual = 0, factor = 1, cut = 0 }
  end
  redis.call('SET', KEYS[1], cmsgpack.pack(tenant), 'EX', 604800)
end
packed = redis.call('GET', KEYS[2])
local user = packed and cmsgpack.unpack(packed) or {}

local function refill(bucket, perMs, burst)
  -- A server whose clock was set back, or another one after a failover: not a bucket closed for hours.
  if bucket.at - now > JUMP_MS then bucket.at = now end
  if now > bucket.at then
    bucket.level = math.min(burst, bucket.level + (now - bucket.at) * perMs)
    bucket.at = now
  end
end

-- Milliseconds until the bucket holds this many; a bucket whose time lies ahead is closed until then.
local function wait_for(bucket, perMs, need)
  local wait = math.max(0, need - bucket.level) / perMs
  if wait < 0.01 then wait = 0 end
  return wait + math.max(0, bucket.at - now)
end

for _, name in ipairs(classes) do
  local t, l = tenant[name], limits[name]
  local before = t.factor
  t.factor = math.min(1, before + math.max(0, now - t.at) * RECOVERY_PER_MS)
  refill(t, l.tenant.perMs * (before + t.factor) / 2, l.tenant.burst)
  user[name] = user[name] or { level = l.user.burst, at = now, finish = 0 }
  refill(user[name], l.user.perMs, l.user.burst)
end
local t, u, l = tenant[class], user[class], limits[class]
local rate = l.tenant.perMs * t.factor

local function save_tenant()
  redis.call('SET', KEYS[1], cmsgpack.pack(tenant), 'EX', 604800)
end

local function save_user()
  local full = 1000
  for _, name in ipairs(classes) do
    full = math.max(full, wait_for(user[name], limits[name].user.perMs, limits[name].user.burst) + 1000)
  end
  redis.call('SET', KEYS[2], cmsgpack.pack(user), 'PX', math.ceil(full))
end

local function answer(kind, ...)
  local reply = { kind, tenant.epoch, redis.call('ZCARD', KEYS[5]) }
  for _, name in ipairs(classes) do
    local perMs = limits[name].user.perMs
    local level = user[name].level
    if user[name].at > now then level = math.min(level, 1) - (user[name].at - now) * perMs end
    reply[#reply + 1] = string.format('%.6f', level)
  end
  for _, value in ipairs({ ... }) do
    reply[#reply + 1] = type(value) == 'number' and string.format('%.6f', value) or value
  end
  return reply
end

local function step_out(id)
  redis.call('ZREM', KEYS[3], id)
  redis.call('ZREM', KEYS[4], id)
end

local function return_user_token()
  u.level = math.min(l.user.burst, u.level + 1)
  u.finish = math.max(0, u.finish - 1)
end

if op == 'ask' or op == 'claim' then
  local id, offset, start, leave_at = ARGV[4], tonumber(ARGV[5]), nil, nil
  for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 100)) do
    if lapsed ~= id then step_out(lapsed) end
  end
  -- Those ahead keep their tokens, even when their gateway wakes a moment later than this one.
  local function place_and_wait()
    local place = redis.call('ZRANK', KEYS[3], id)
    local ahead = place or redis.call('ZCOUNT', KEYS[3], '-inf', start + offset)
    return place, wait_for(t, rate, ahead + 1)
  end
  if op == 'ask' then
    local max_wait = tonumber(ARGV[6])
    leave_at = now + max_wait
    -- Start-time fair queueing: a user's next request is due one turn after their last, or now for one who was idle.
    start = math.max(t.virtual, u.finish)
    local wait = wait_for(u, l.user.perMs, 1)
    if wait > max_wait then
      -- Both may be empty: what is told is the later of the two.
      local _, tenants = place_and_wait()
      return answer('refused', 'user', math.max(wait, tenants))
    end
    u.level = u.level - 1
    u.finish = start + 1
    if wait > 0 then
      save_user()
      save_tenant()
      return answer('wait', wait, start, leave_at)
    end
  else
    start, leave_at = tonumber(ARGV[6]), tonumber(ARGV[7])
  end
  local place, wait = place_and_wait()
  if wait == 0 then
    if place then step_out(id) end
    t.level = t.level - 1
    -- While nobody waits, what somebody spent is held against nobody: the next turn begins for all.
    local alone = redis.call('ZCARD', KEYS[3]) == 0
    t.virtual = math.max(t.virtual, alone and start + 1 or start)
    save_user()
    save_tenant()
    return answer('taken', start)
  end
  if now + wait > leave_at then
    if place then step_out(id) end
    return_user_token()
    save_user()
    save_tenant()
    return answer('refused', 'tenant', wait)
  end
  if not place then
    redis.call('ZADD', KEYS[3], start + offset, id)
    redis.call('ZADD', KEYS[4], leave_at + 250, id)
    redis.call('PEXPIRE', KEYS[3], 60000)
    redis.call('PEXPIRE', KEYS[4], 60000)
  end
  save_user()
  save_tenant()
  return answer('wait', wait, start, leave_at)
end

if op == 'leave' then
  step_out(ARGV[4])
  return_user_token()
  save_user()
elseif op == 'give-back' then
  return_user_token()
  t.level = math.min(l.tenant.burst, t.level + 1)
  save_user()
  save_tenant()
elseif op == 'tenant-limited' then
  t.level = math.min(t.level, 0)
  t.at = math.max(t.at, now + math.min(tonumber(ARGV[4]), 60000))
  if now - t.cut > 500 then
    t.factor, t.cut = math.max(LOWEST, t.factor * 0.7), now
  end
  save_tenant()
elseif op == 'tenant-low' then
  t.level = math.min(t.level, tonumber(ARGV[4]) - l.reserve / 2)
  if now - t.cut > 250 then
    t.factor, t.cut = math.max(LOWEST, t.factor * 0.9), now
  end
  save_tenant()
elseif op == 'user-limited' then
  -- When the time has come exactly one request may go: Auth0 promises no more.
  u.level = math.min(u.level, 1)
  u.at = math.max(u.at, now + math.min(tonumber(ARGV[4]), JUMP_MS))
  save_user()
elseif op == 'user-low' then
  if u.level >= tonumber(ARGV[4]) + 1 then u.level = tonumber(ARGV[4]) end
  save_user()
elseif op == 'remember' then
  -- What a gateway knows of a user that this server has forgotten, or never heard of while it was away.
  for index, name in ipairs(classes) do
    user[name].level = math.min(user[name].level, tonumber(ARGV[3 + index]))
    tenant[name].level = math.min(tenant[name].level, 0)
  end
  save_user()
  save_tenant()
end
return answer('done')
