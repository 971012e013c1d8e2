-- One decision about a bucket, whole, on this server's clock. The same rules as memory-store.ts;
-- store.test.ts holds both to them.
-- KEYS: 1 the tenant's state of the bucket, 2 the user's, 3 the bucket's queue, 4 when places in it
-- lapse, 5 the instances; of `peek` the user's states of all buckets. All share one hash tag.
-- ARGV: 1 operation, 2 the bucket's number, 3 the epoch the caller knows, then the operation's own.
-- Before it stands `local limits`, a list of {tenant = {perMs, burst}, user = ..., reserve}: the same
-- for every call of a gateway (see redis-store.ts).
-- The tenant's state is five doubles and the epoch, the user's three doubles; the reply is made by
-- `answer`. A state of another length is begun anew.
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
-- After a slowdown the rate comes back by a twentieth of the whole each second; it never falls below that.
local RECOVERY_PER_MS, LOWEST, JUMP_MS, WEEK = 0.05 / 1000, 0.05, 120000, 604800
-- Known for all calls that come together: nobody else writes meanwhile.
local tenants, instances = {}, nil

-- Whoever can write to this server could leave what is no number, or one that no bucket ever holds.
local function sane(number, otherwise, lowest, highest)
  if number - number ~= 0 then return otherwise end
  return math.max(lowest, math.min(highest, number))
end

local function sane_level(level, l)
  return sane(level, 0, -l.burst - l.perMs * JUMP_MS, l.burst)
end

local function refill(bucket, perMs, burst)
  -- A server whose clock was set back, or another one after a failover: not a bucket closed for hours.
  if bucket.at - now > JUMP_MS then bucket.at = now end
  if now > bucket.at then
    bucket.level = math.min(burst, bucket.level + (now - bucket.at) * perMs)
    bucket.at = now
  end
end

local function read_tenant(bytes, l)
  local level, at, virtual, factor, cut = struct.unpack('>ddddd', bytes)
  level, factor = sane_level(level, l), sane(factor, 1, LOWEST, 1)
  at, virtual, cut = sane(at, now, 0, now + 2 * JUMP_MS), sane(virtual, 0, 0, 2 ^ 52), sane(cut, 0, 0, now)
  local t = { level = level, at = at, virtual = virtual, cut = cut }
  t.factor = math.min(1, factor + math.max(0, now - at) * RECOVERY_PER_MS)
  refill(t, l.perMs * (factor + t.factor) / 2, l.burst)
  return t
end

local function read_user(bytes, l)
  local level, at, finish
  if bytes and #bytes == 24 then level, at, finish = struct.unpack('>ddd', bytes) end
  if not level then level, at, finish = l.burst, now, 0 end
  level, at = sane_level(level, l), sane(at, now, 0, now + 2 * JUMP_MS)
  finish = sane(finish, 0, 0, 2 ^ 52)
  local u = { level = level, at = at, finish = finish }
  refill(u, l.perMs, l.burst)
  return u
end

local function level_of(u, l)
  return u.at > now and math.min(u.level, 1) - (u.at - now) * l.perMs or u.level
end

-- Milliseconds until the bucket holds this many; a bucket whose time lies ahead is closed until then.
local function wait_for(bucket, perMs, need)
  local wait = math.max(0, need - bucket.level) / perMs
  if wait < 0.01 then wait = 0 end
  return wait + math.max(0, bucket.at - now)
end

return function(KEYS, ARGV)
  local op, epoch = ARGV[1], ARGV[3]
  if op == 'peek' then
    local levels = ''
    for i, l in ipairs(limits) do
      levels = levels .. struct.pack('>d', level_of(read_user(redis.call('GET', KEYS[i]), l.user), l.user))
    end
    return levels
  end
  local l = limits[tonumber(ARGV[2])]
  local tenant = tenants[KEYS[1]] or redis.call('GET', KEYS[1])
  if tenant and not string.find(tenant, '^%d+%.%d%d%d$', 41) then tenant = false end
  if epoch ~= '' and (not tenant or string.sub(tenant, 41) ~= epoch) then return 'f' end
  if not tenant then
    -- Not full: what was spent before this server knew of it is unknown.
    tenant = struct.pack('>ddddd', 1, now, 0, 1, 0) .. string.format('%.3f', now)
    redis.call('SET', KEYS[1], tenant, 'EX', WEEK)
  end
  tenants[KEYS[1]] = tenant
  local u = read_user(redis.call('GET', KEYS[2]), l.user)
  local t = read_tenant(tenant, l.tenant)
  local rate = l.tenant.perMs * t.factor

  local function save_tenant()
    local numbers = struct.pack('>ddddd', t.level, t.at, t.virtual, t.factor, t.cut)
    -- Known to the calls that follow only once it is written.
    local whole = numbers .. string.sub(tenant, 41)
    redis.call('SET', KEYS[1], whole, 'EX', WEEK)
    tenant = whole
    tenants[KEYS[1]] = whole
  end

  local function save_user()
    -- A user who is forgotten has a full bucket. It is full by then: however far it may be closed or
    -- overdrawn, it was so by no more than this.
    local forget_ms = math.ceil(l.user.burst / l.user.perMs) + 2 * JUMP_MS
    redis.call('SET', KEYS[2], struct.pack('>ddd', u.level, u.at, u.finish), 'PX', forget_ms)
  end

  -- One letter, how many instances there are, the user's level, three numbers of the answer's own, the epoch.
  local function answer(kind, first, second, third)
    instances = instances or redis.call('ZCARD', KEYS[5])
    local numbers = struct.pack('>I4dddd', instances, level_of(u, l.user), first or 0, second or 0, third or 0)
    return kind .. numbers .. string.sub(tenant, 41)
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
    -- Mostly nobody waits, and then there is nothing more to ask of the queue.
    local queued = redis.call('ZCARD', KEYS[3])
    if queued > 0 then
      for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 100)) do
        if lapsed ~= id then step_out(lapsed) end
      end
      queued = redis.call('ZCARD', KEYS[3])
    end
    -- Those ahead keep their tokens, even when their gateway wakes a moment later than this one.
    local function place_and_wait()
      local place = queued > 0 and redis.call('ZRANK', KEYS[3], id)
      local ahead = place or (queued > 0 and redis.call('ZCOUNT', KEYS[3], '-inf', start + offset) or 0)
      return place, wait_for(t, rate, ahead + 1)
    end
    if op == 'ask' then
      local max_wait = tonumber(ARGV[6])
      leave_at = now + max_wait
      -- Start-time fair queueing: a user's next request is due one turn after their last, or now for
      -- one who was idle.
      start = math.max(t.virtual, u.finish)
      local wait = wait_for(u, l.user.perMs, 1)
      if wait > max_wait then
        -- Both may be empty: what is told is the later of the two.
        local _, tenant_wait = place_and_wait()
        return answer('u', math.max(wait, tenant_wait))
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
      local alone = queued == (place and 1 or 0)
      t.virtual = math.max(t.virtual, alone and start + 1 or start)
      save_user()
      save_tenant()
      return answer('t')
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

  local amount = tonumber(ARGV[4])
  if op == 'cancel' then
    step_out(ARGV[4])
    return_user_token()
    save_user()
  elseif op == 'refund' then
    return_user_token()
    t.level = math.min(l.tenant.burst, t.level + 1)
    save_user()
    save_tenant()
  elseif op == 'tenant-limited' then
    t.level = math.min(t.level, 0)
    t.at = math.max(t.at, now + math.min(amount, 60000))
    if now - t.cut > 500 then
      t.factor, t.cut = math.max(LOWEST, t.factor * 0.7), now
    end
    save_tenant()
  elseif op == 'tenant-low' then
    t.level = math.min(t.level, amount - l.reserve / 2)
    if now - t.cut > 250 then
      t.factor, t.cut = math.max(LOWEST, t.factor * 0.9), now
    end
    save_tenant()
  elseif op == 'user-limited' then
    -- When the time has come exactly one request may go: Auth0 promises no more.
    u.level = math.min(u.level, 1)
    u.at = math.max(u.at, now + math.min(amount, JUMP_MS))
    save_user()
  elseif op == 'user-low' then
    if u.level >= amount + 1 then u.level = amount end
    save_user()
  elseif op == 'user-late' then
    -- The API may have counted all that were under way only now, from a bucket that was full till then.
    u.level = math.min(u.level, l.user.burst - amount)
    save_user()
  elseif op == 'seed' then
    -- What a gateway knows of a user that this server has forgotten, or never heard of while it was away.
    u.level = math.min(u.level, amount)
    t.level = math.min(t.level, 0)
    save_user()
    save_tenant()
  end
  return answer('d')
end
