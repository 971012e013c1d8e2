-- One decision about the budget, whole, on this server's clock. The same rules as memory-ledger.ts; budget.test.ts holds both to them.
-- KEYS: 1 the tenant's state, 2 the user's state, 3 the line of the class, 4 when places in it lapse, 5 the gateways. All share one hash tag.
-- ARGV: 1 operation, 2 class, 3 the epoch the caller knows, then the operation's own.
-- Before it stands `local limits`, {class: {tenant: {perMs, burst}, user: ..., reserve}}: the same for every call of a gateway (see redis-ledger.ts).
-- The tenant's state is five doubles for each class and the epoch, the user's three for each class; the answer is told at `answer`.
local classes = { 'read', 'write', 'filtered' }
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
-- After a slowdown the rate comes back by a twentieth of the whole each second; it never falls below that.
local RECOVERY_PER_MS, LOWEST, JUMP_MS, WEEK = 0.05 / 1000, 0.05, 120000, 604800
-- A user who is forgotten has full buckets. These are full by then: however far one may be closed or overdrawn, it was so by no more than this.
local forget_user_ms = 0
for _, l in pairs(limits) do
  forget_user_ms = math.max(forget_user_ms, math.ceil(l.user.burst / l.user.perMs) + 2 * JUMP_MS)
end
-- Known for all calls that come together: nobody else writes meanwhile.
local tenant, gateways

local function refill(bucket, perMs, burst)
  -- A server whose clock was set back, or another one after a failover: not a bucket closed for hours.
  if bucket.at - now > JUMP_MS then bucket.at = now end
  if now > bucket.at then
    bucket.level = math.min(burst, bucket.level + (now - bucket.at) * perMs)
    bucket.at = now
  end
end

-- Whoever can write to this server could leave what is no number, or one that no bucket ever holds.
local function sane(number, otherwise, lowest, highest)
  if number - number ~= 0 then return otherwise end
  return math.max(lowest, math.min(highest, number))
end

local function read_tenant(index, l)
  local level, at, virtual, factor, cut = struct.unpack('>ddddd', tenant, index * 40 - 39)
  level, factor = sane(level, 0, -l.burst - l.perMs * JUMP_MS, l.burst), sane(factor, 1, LOWEST, 1)
  at, virtual, cut = sane(at, now, 0, now + 2 * JUMP_MS), sane(virtual, 0, 0, 2 ^ 52), sane(cut, 0, 0, now)
  local t = { level = level, at = at, virtual = virtual, factor = math.min(1, factor + math.max(0, now - at) * RECOVERY_PER_MS), cut = cut }
  refill(t, l.perMs * (factor + t.factor) / 2, l.burst)
  return t
end

local function with_tenant(index, t)
  local bytes = struct.pack('>ddddd', t.level, t.at, t.virtual, t.factor, t.cut)
  return string.sub(tenant, 1, index * 40 - 40) .. bytes .. string.sub(tenant, index * 40 + 1)
end

local function read_user(user, index, l)
  local level, at, finish = struct.unpack('>ddd', user, index * 24 - 23)
  level, at = sane(level, 0, -l.burst - l.perMs * JUMP_MS, l.burst), sane(at, now, 0, now + 2 * JUMP_MS)
  finish = sane(finish, 0, 0, 2 ^ 52)
  local u = { level = level, at = at, finish = finish }
  refill(u, l.perMs, l.burst)
  return u
end

local function with_user(user, index, u)
  return string.sub(user, 1, index * 24 - 24) .. struct.pack('>ddd', u.level, u.at, u.finish) .. string.sub(user, index * 24 + 1)
end

-- Milliseconds until the bucket holds this many; a bucket whose time lies ahead is closed until then.
local function wait_for(bucket, perMs, need)
  local wait = math.max(0, need - bucket.level) / perMs
  if wait < 0.01 then wait = 0 end
  return wait + math.max(0, bucket.at - now)
end

return function(KEYS, ARGV)
  local op, epoch = ARGV[1], ARGV[3]
  local index = ARGV[2] == 'read' and 1 or ARGV[2] == 'write' and 2 or 3
  local l = limits[classes[index]]

  if not tenant then
    tenant = redis.call('GET', KEYS[1])
    -- What ends otherwise is of another make.
    if tenant and not string.find(tenant, '^%d+%.%d%d%d$', 121) then tenant = false end
  end
  if epoch ~= '' and (not tenant or string.sub(tenant, 121) ~= epoch) then
    return 'f'
  end
  if not tenant then
    -- Not full: what was spent before this server knew of it is unknown.
    tenant = string.rep(struct.pack('>ddddd', 1, now, 0, 1, 0), 3) .. string.format('%.3f', now)
    redis.call('SET', KEYS[1], tenant, 'EX', WEEK)
  end
  local user = redis.call('GET', KEYS[2])
  if not user or #user ~= 72 then
    user = ''
    for _, name in ipairs(classes) do
      user = user .. struct.pack('>ddd', limits[name].user.burst, now, 0)
    end
  end
  local t, u = read_tenant(index, l.tenant), read_user(user, index, l.user)
  local rate = l.tenant.perMs * t.factor

  local function save_tenant()
    -- Known to the calls that follow only once it is written.
    local whole = with_tenant(index, t)
    redis.call('SET', KEYS[1], whole, 'EX', WEEK)
    tenant = whole
  end

  local function save_user()
    user = with_user(user, index, u)
    redis.call('SET', KEYS[2], user, 'PX', forget_user_ms)
  end

  -- One letter, how many gateways there are, the user's level of each class, three numbers of the answer's own, the epoch.
  local function answer(kind, first, second, third)
    gateways = gateways or redis.call('ZCARD', KEYS[5])
    local levels = {}
    for i, name in ipairs(classes) do
      local perMs = limits[name].user.perMs
      local each = i == index and u or read_user(user, i, limits[name].user)
      levels[i] = each.at > now and math.min(each.level, 1) - (each.at - now) * perMs or each.level
    end
    local numbers = struct.pack('>I4dddddd', gateways, levels[1], levels[2], levels[3], first or 0, second or 0, third or 0)
    return kind .. numbers .. string.sub(tenant, 121)
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
    -- Mostly nobody waits, and then there is nothing more to ask of the line.
    local line = redis.call('ZCARD', KEYS[3])
    if line > 0 then
      for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 100)) do
        if lapsed ~= id then step_out(lapsed) end
      end
      line = redis.call('ZCARD', KEYS[3])
    end
    -- Those ahead keep their tokens, even when their gateway wakes a moment later than this one.
    local function place_and_wait()
      local place = line > 0 and redis.call('ZRANK', KEYS[3], id)
      local ahead = place or (line > 0 and redis.call('ZCOUNT', KEYS[3], '-inf', start + offset) or 0)
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
        return answer('u', math.max(wait, tenants))
      end
      u.level = u.level - 1
      u.finish = start + 1
      if wait > 0 then
        save_user()
        save_tenant()
        return answer('w', wait, start, leave_at)
      end
    else
      start, leave_at = tonumber(ARGV[6]), tonumber(ARGV[7])
    end
    local place, wait = place_and_wait()
    if wait == 0 then
      if place then step_out(id) end
      t.level = t.level - 1
      -- While nobody waits, what somebody spent is held against nobody: the next turn begins for all.
      local alone = line == (place and 1 or 0)
      t.virtual = math.max(t.virtual, alone and start + 1 or start)
      save_user()
      save_tenant()
      return answer('t', start)
    end
    if now + wait > leave_at then
      if place then step_out(id) end
      return_user_token()
      save_user()
      save_tenant()
      return answer('r', wait)
    end
    if not place then
      redis.call('ZADD', KEYS[3], start + offset, id)
      redis.call('ZADD', KEYS[4], leave_at + 250, id)
      redis.call('PEXPIRE', KEYS[3], 60000)
      redis.call('PEXPIRE', KEYS[4], 60000)
    end
    save_user()
    save_tenant()
    return answer('w', wait, start, leave_at)
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
    for i, name in ipairs(classes) do
      index, u, t = i, read_user(user, i, limits[name].user), read_tenant(i, limits[name].tenant)
      u.level = math.min(u.level, tonumber(ARGV[3 + i]))
      t.level = math.min(t.level, 0)
      save_user()
      save_tenant()
    end
  end
  return answer('d')
end
