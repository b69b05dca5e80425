/**
 * Writes what was changed, counts the commit, and wakes who waits for it. Defines `done(result)`, by which each script ends. One that writes
 * more says so before (`writes`), and does it after.
 */
export const FLUSH = `
local function flushLog(log, fields)
  local key = P .. 'e:' .. log.key
  local from = math.max(log.first, log.fin0 + 1)
  if log.first > log.fin0 then
    if log.fin0 >= log.first0 then call('DEL', key) end
  elseif log.first > log.first0 then
    call('LTRIM', key, log.first - log.first0, -1)
  end
  local chunk = {}
  for offset = from, log.fin do
    chunk[#chunk + 1] = log.pending[offset - log.fin0]
    if #chunk == 500 then
      call('RPUSH', key, unpack(chunk))
      chunk = {}
    end
  end
  if #chunk > 0 then call('RPUSH', key, unpack(chunk)) end
  local due = dueOf(log)
  if due ~= log.due0 then
    if due then call('ZADD', P .. 'due', due, log.key) else call('ZREM', P .. 'due', log.key) end
  end
  meta.entries = meta.entries + (log.fin - log.first) - (log.fin0 - log.first0)
  meta.bytes = meta.bytes + log.bytes - log.bytes0
  for name, value in pairs({ base = log.base, first = num(log.first), fin = num(log.fin), bytes = num(log.bytes) }) do
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  fields[#fields + 1] = 'oldest'
  fields[#fields + 1] = log.oldest and num(log.oldest) or ''
end

-- The sessions of a pod: by their life while they are attached, behind all of those while they are not.
local function unplace(id, pod, detached)
  local own = P .. 'own:' .. pod
  call('ZREM', own, id)
  if call('EXISTS', own) == 0 then call('SREM', P .. 'owners', pod) end
  if detached then call('ZREM', P .. 'detached', id) end
end
local function place(s)
  call('ZADD', P .. 'own:' .. s.pod, s.detached and '+inf' or num(s.life), s.id)
  call('SADD', P .. 'owners', s.pod)
  if s.detached then call('ZADD', P .. 'detached', num(s.detached + s.life), s.id) end
end

local function flushRemoved(s)
  meta.sessions = meta.sessions - 1
  meta.entries = meta.entries - s.entriesLeft
  meta.bytes = meta.bytes - s.log.bytes0
  for name in pairs(s.cursors) do call('ZREM', P .. 'f:' .. name, s.id) end
  call('DEL', P .. 's:' .. s.id, P .. 'e:s:' .. s.id, P .. 'c:' .. s.id, P .. 'k:' .. s.id)
  if s.log.due0 then call('ZREM', P .. 'due', s.log.key) end
  unplace(s.id, s.pod0, s.detached0)
end

local function flushSession(s)
  if not s.exists then meta.sessions = meta.sessions + 1 end
  local fields = { 'pod', s.pod, 'epoch', num(s.epoch), 'token', s.token, 'previous', s.previous or '', 'attempt', num(s.attempt),
    'watermark', num(s.watermark), 'acked', num(s.acked), 'created', s.created, 'life', num(s.life), 'attached', num(s.attached),
    'detached', s.detached and num(s.detached) or '' }
  if s.code then for _, each in ipairs({ 'code', s.code, 'reason', s.reason }) do fields[#fields + 1] = each end end
  if s.data then for _, each in ipairs({ 'data', s.data }) do fields[#fields + 1] = each end end
  if s.request then for _, each in ipairs({ 'request', s.request }) do fields[#fields + 1] = each end end
  flushLog(s.log, fields)
  call('HSET', P .. 's:' .. s.id, unpack(fields))
  if not s.exists or s.pod ~= s.pod0 or s.detached ~= s.detached0 then
    if s.exists then unplace(s.id, s.pod0, s.detached0) end
    place(s)
  end
end

local function flushTopic(t)
  if t.forgotten then
    meta.topics = meta.topics - 1
    meta.entries = meta.entries - (t.fin0 - t.first0 + 1)
    meta.bytes = meta.bytes - t.bytes0
    call('DEL', P .. 't:' .. t.topic, P .. 'e:' .. t.key)
    call('ZREM', P .. 'due', t.key)
    return
  end
  if not t.exists then meta.topics = meta.topics + 1 end
  local fields = { 'followers', num(t.followers), 'idle', t.idle and num(t.idle) or '' }
  flushLog(t, fields)
  call('HSET', P .. 't:' .. t.topic, unpack(fields))
end

local function flushCursors(s)
  for name in pairs(s.cursorsDirty) do
    local c = s.cursors[name]
    if c then
      call('HSET', P .. 'c:' .. s.id, name, num(c.offset) .. ' ' .. c.epoch)
      call('ZADD', P .. 'f:' .. name, 0, s.id)
    else
      call('HDEL', P .. 'c:' .. s.id, name)
      call('ZREM', P .. 'f:' .. name, s.id)
    end
  end
end

-- The topics that a session of this group has begun to follow as the first, or ended as the last: name, turn, and 1 or 0. One that was followed
-- within this script alone is told as well, as it was not idle.
local function turnsOf()
  local turns = {}
  for name, count in pairs(counts) do
    if (count > 0) ~= (counts0[name] > 0) or (count == 0 and begun[name]) then
      meta.turn, metaDirty = meta.turn + 1, true
      for _, each in ipairs({ name, meta.turn, count > 0 and 1 or 0 }) do turns[#turns + 1] = each end
    end
  end
  return turns
end

-- Whether the script has anything to write, besides what it writes itself behind done.
local writes = false
local function isDirty()
  if writes or metaDirty or #removed > 0 then return true end
  for _, s in pairs(sessions) do if s and (s.dirty or s.cursorsDirty) then return true end end
  for _, t in pairs(topics) do if t and t.dirty then return true end end
  return false
end

local function done(result, writer)
  local turns = turnsOf()
  if isDirty() then meta.ended, metaDirty = call('HINCRBY', META, 'begun', 1), true end
  meta.begun = nil
  local wrote = writes or #removed > 0
  for _, s in ipairs(removed) do flushRemoved(s) end
  for _, s in pairs(sessions) do
    if s and s.dirty then
      wrote = true
      flushSession(s)
      -- The pod that owns a session reads its stream. Nearly always that is the one that writes.
      if s.pod ~= writer and s.log.fin > s.log.fin0 then
        redis.pcall('PUBLISH', channel('pod') .. s.pod, A.me .. ' g ' .. num(s.log.fin) .. ' ' .. s.id)
      end
    end
    if s and s.cursorsDirty then flushCursors(s) end
  end
  for _, t in pairs(topics) do
    if t and t.dirty then
      wrote = true
      flushTopic(t)
      if t.fin > t.fin0 then redis.pcall('PUBLISH', channel('topic') .. t.topic, A.me .. ' ' .. num(t.fin)) end
    end
  end
  for _, f in ipairs(fences) do
    redis.pcall('PUBLISH', channel('pod') .. f[1], A.me .. ' ' .. f[4] .. ' ' .. f[3] .. ' ' .. f[2])
  end
  if wrote then meta.n = meta.n + 1 end
  if metaDirty then
    local fields = {}
    for name, value in pairs(meta) do
      fields[#fields + 1] = name
      fields[#fields + 1] = type(value) == 'number' and num(value) or value
    end
    call('HSET', META, unpack(fields))
  end
  return { meta.life, meta.n, result, fences, turns }
end
`;

/** Does once what the other scripts do, so that a user who may not is told before anything is half done. */
export const PROBE = `
local key = P .. 'probe:' .. A.me
call('HSET', key, 'a', '1', 'b', '1')
call('HINCRBY', key, 'a', 1)
call('HGETALL', key)
call('HKEYS', key)
call('HDEL', key, 'b')
call('PEXPIRE', key, 1000)
call('DEL', key)
call('RPUSH', key, '1', '2')
call('LRANGE', key, 0, -1)
call('LINDEX', key, 0)
call('LTRIM', key, 1, -1)
call('DEL', key)
call('ZADD', key, '1', 'a')
call('ZRANGE', key, 0, -1)
call('ZRANGEBYSCORE', key, '-inf', '(2')
call('ZRANGEBYLEX', key, '-', '+', 'LIMIT', 0, 1)
call('ZCARD', key)
call('ZREM', key, 'a')
call('SADD', key, 'a')
call('SMEMBERS', key)
call('SREM', key, 'a')
call('EXISTS', key)
call('HEXISTS', key, 'a')
call('TIME')
return done(1)
`;
