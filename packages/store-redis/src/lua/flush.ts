/**
 * Collects what is to be written, and at the end, when nothing can go wrong any more, writes it. Defines `write`, and `done(result)`, by which each script
 * ends: what was changed in memory is written then, the commit counted, and who waits for it woken.
 *
 * Where a server dies amid this, the first of the commands may come to life later (see RECORDS), and a place may be given up like this. So that all of
 * it is found then, what leads to a record is written before it, and taken away after it.
 */
export const FLUSH = `
local leads, commands, misleads = {}, {}, {}
local function lead(...) leads[#leads + 1] = { ... } end
local function write(...) commands[#commands + 1] = { ... } end
local function mislead(...) misleads[#misleads + 1] = { ... } end

local function flushLog(log, fields)
  local key = P .. 'e:' .. log.key
  local from = math.max(log.first, log.fin0 + 1)
  if log.first > log.fin0 then
    if log.fin0 >= log.first0 then write('DEL', key) end
  elseif log.first > log.first0 then
    write('LTRIM', key, log.first - log.first0, -1)
  end
  local chunk = {}
  for offset = from, log.fin do
    chunk[#chunk + 1] = log.pending[offset - log.fin0]
    if #chunk == 500 then
      write('RPUSH', key, unpack(chunk))
      chunk = {}
    end
  end
  if #chunk > 0 then write('RPUSH', key, unpack(chunk)) end
  local due = dueOf(log)
  if due ~= log.due0 then
    if due then lead('ZADD', P .. 'due', due, log.key) else mislead('ZREM', P .. 'due', log.key) end
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
local left = {}
local function leave(s)
  mislead('ZREM', P .. 'own:' .. s.pod0, s.id)
  left[s.pod0] = true
end
local function place(s)
  lead('SADD', P .. 'owners', s.pod)
  lead('ZADD', P .. 'own:' .. s.pod, s.detached and '+inf' or num(s.life), s.id)
  if s.exists and s.pod ~= s.pod0 then leave(s) end
  if s.detached then
    lead('ZADD', P .. 'detached', num(s.detached + s.life), s.id)
  elseif s.exists and s.detached0 then
    mislead('ZREM', P .. 'detached', s.id)
  end
end

local function flushRemoved(s)
  meta.sessions = meta.sessions - 1
  meta.entries = meta.entries - s.entriesLeft
  meta.bytes = meta.bytes - s.log.bytes0
  for name in pairs(s.cursors) do write('ZREM', P .. 'f:' .. name, s.id) end
  write('DEL', P .. 's:' .. s.id, P .. 'e:s:' .. s.id, P .. 'c:' .. s.id, P .. 'k:' .. s.id)
  if s.log.due0 then mislead('ZREM', P .. 'due', s.log.key) end
  if s.detached0 then mislead('ZREM', P .. 'detached', s.id) end
  leave(s)
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
  write('HSET', P .. 's:' .. s.id, unpack(fields))
  if not s.exists or s.pod ~= s.pod0 or s.detached ~= s.detached0 then place(s) end
end

local function flushTopic(t)
  if t.forgotten then
    meta.topics = meta.topics - 1
    meta.entries = meta.entries - (t.fin0 - t.first0 + 1)
    meta.bytes = meta.bytes - t.bytes0
    write('DEL', P .. 't:' .. t.topic, P .. 'e:' .. t.key)
    mislead('ZREM', P .. 'due', t.key)
    return
  end
  if not t.exists then meta.topics = meta.topics + 1 end
  local fields = { 'followers', num(t.followers), 'idle', t.idle and num(t.idle) or '' }
  flushLog(t, fields)
  write('HSET', P .. 't:' .. t.topic, unpack(fields))
end

local function flushCursors(s)
  for name in pairs(s.cursorsDirty) do
    local c = s.cursors[name]
    if c then
      lead('HSET', P .. 'c:' .. s.id, name, num(c.offset) .. ' ' .. c.epoch)
      write('ZADD', P .. 'f:' .. name, 0, s.id)
    else
      write('ZREM', P .. 'f:' .. name, s.id)
      mislead('HDEL', P .. 'c:' .. s.id, name)
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

-- Between the count of begun and that of ended, the first and the last that is written, nothing can fail.
local function writeAll()
  local wrote = #leads + #commands + #misleads > 0
  if not wrote and not metaDirty then return end
  if wrote then meta.n = meta.n + 1 end
  meta.ended = meta.begun + 1
  local fields = {}
  for name, value in pairs(meta) do
    if name ~= 'begun' then
      fields[#fields + 1] = name
      fields[#fields + 1] = type(value) == 'number' and num(value) or value
    end
  end
  call('HINCRBY', META, 'begun', 1)
  for _, list in ipairs({ leads, commands, misleads }) do
    for _, each in ipairs(list) do call(unpack(each)) end
  end
  for pod in pairs(left) do
    if call('EXISTS', P .. 'own:' .. pod) == 0 then call('SREM', P .. 'owners', pod) end
  end
  call('HSET', META, unpack(fields))
end

-- Nothing that is missed here is missed for good.
local function wake(writer)
  local function tell(kind, name, text) redis.pcall('PUBLISH', channel(kind) .. name, A.me .. ' ' .. text) end
  for _, s in pairs(sessions) do
    -- The pod that owns a session reads its stream. Nearly always that is the one that writes.
    if s and s.dirty and s.pod ~= writer and s.log.fin > s.log.fin0 then tell('pod', s.pod, 'g ' .. num(s.log.fin) .. ' ' .. s.id) end
  end
  for _, t in pairs(topics) do
    if t and t.dirty and t.fin > t.fin0 then tell('topic', t.topic, num(t.fin)) end
  end
  for _, f in ipairs(fences) do tell('pod', f[1], f[4] .. ' ' .. f[3] .. ' ' .. f[2]) end
end

local function done(result, writer)
  local turns = turnsOf()
  for _, s in ipairs(removed) do flushRemoved(s) end
  for _, s in pairs(sessions) do
    if s and s.dirty then flushSession(s) end
    if s and s.cursorsDirty then flushCursors(s) end
  end
  for _, t in pairs(topics) do
    if t and t.dirty then flushTopic(t) end
  end
  writeAll()
  wake(writer)
  return { meta.life, meta.n, result, fences, turns }
end
`;

/** Does once what the other scripts do, so that a user who may not is told before anything is half done. */
export const PROBE = `
local key = P .. 'probe'
call('DEL', key)
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
