/**
 * What every script begins with: reading records, changing them in memory, and writing them at the end. A script that fails has written
 * nothing, as nothing is written before the end of FLUSH, and there nothing is left that could fail: the server refuses a script at its first
 * line when it is full or read-only, what the user may do was tried at the start (PROBE), and a wake-up is no condition.
 *
 * KEYS: where the state of the slot group as a whole lies. ARGV: what the keys of the group begin with, a JSON object with the arguments, and the
 * payloads. All other keys are made here. In a cluster (`A.spread`, what the channels begin with) they all lie in the slot of KEYS[1]; sessions and
 * topics of other groups lie elsewhere.
 */
export const RECORDS = `
local A = cjson.decode(ARGV[2])
local call = redis.call
local DATA = 2
-- A pod whose clock differs from the server's would take the sessions of all others for given up, or have its own taken: its times are corrected. A
-- call that comes late says what the clock was when it was made, so a little is let be.
local SKEW_MS = 1000
local time = call('TIME')
local skewMs = A.wallMs - (time[1] * 1000 + math.floor(time[2] / 1000))
local function correct(given, name)
  if given and type(given[name]) == 'number' then given[name] = given[name] - skewMs end
end
if math.abs(skewMs) > SKEW_MS then
  correct(A, 'nowMs')
  correct(A, 'untilMs')
  correct(A.session, 'nowMs')
  correct(A.claim, 'nowMs')
  correct(A.batch, 'nowMs')
  for _, part in ipairs(A.batch and A.batch.parts or {}) do correct(part, 'detachedMs') end
end

-- Channels know of no databases.
local function channel(kind) return (A.spread or ARGV[1]) .. kind .. '@' .. A.database .. ':' end

-- A slot that is moving to another node is in two places, and what is missing here may be there. Then this fails, before anything is written: a
-- node answers for two keys that are missing only while it has the whole slot.
if A.spread then call('EXISTS', ARGV[1] .. 'none', ARGV[1] .. 'nothing') end

-- Whole numbers as they are, others without loss.
local function num(n) return string.format('%.17g', n) end
-- What is kept as it was given.
local function asText(given)
  if type(given) ~= 'string' then error('a ' .. type(given) .. ' where a text should be') end
  return given
end

-- One history of the store. A server that starts anew, or becomes a master, may have lost the end of it: a client that has seen more than was
-- there then says so (A.life, A.seen), and every stream gets another epoch.
local function serverRun()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
end
-- A server that dies while it writes a script down may keep the first commands of it in its append-only file. At the next start but one it carries those
-- out, or leaves out what was written behind them. So each script counts itself by its first command (begun), and says the count by its last (ended).
-- Where they differ nothing can be relied on, and all begins anew in another place: keys with braces, which no prefix has.
local META = KEYS[1]
local NAMES = { 'begun', 'ended', 'place', 'swept', 'run', 'life', 'n', 'base', 'gen', 'lost', 'sessions', 'topics', 'entries', 'bytes', 'turn' }
local TEXTS = { run = true, life = true, gen = true, lost = true }
local P
local meta, metaDirty = {}, false
local function placeOf(number) return ARGV[1] .. (number > 0 and '{' .. num(number) .. '}' or '') end
do
  local found = call('HMGET', META, unpack(NAMES))
  for i, name in ipairs(NAMES) do
    if TEXTS[name] then meta[name] = found[i] or '' else meta[name] = tonumber(found[i] or '0') end
  end
  if meta.begun ~= meta.ended then
    for _, name in ipairs({ 'n', 'base', 'sessions', 'topics', 'entries', 'bytes' }) do meta[name] = 0 end
    for name in pairs(TEXTS) do meta[name] = '' end
    meta.place, metaDirty = meta.place + 1, true
  end
  P = placeOf(meta.place)
  local run = serverRun()
  if meta.life == '' or meta.run ~= run then
    meta.run, meta.life, meta.base, metaDirty = run, A.seed, meta.n, true
    -- Those who were told a turn before it was lost heed only later ones.
    meta.turn = math.max(meta.turn + 1, time[1] * 1000000 + time[2])
  end
  if A.life ~= '' and A.life ~= meta.life and A.seen > meta.base and meta.lost ~= meta.life then
    meta.gen, meta.lost, metaDirty = '-' .. string.sub(A.seed, 1, 5), meta.life, true
  end
end

local epochsMade = 0
local function newEpoch()
  epochsMade = epochsMade + 1
  return A.seed .. (epochsMade > 1 and num(epochsMade) or '')
end
local function epochOf(log) return log.base .. meta.gen end

-- Logs: a list of entries, each one byte that tells binary from text, the time as a double, and the payload.
local HEAD = 9
local function newLog(key, base, first, fin, bytes, oldest)
  return { key = key, base = base, first = first, fin = fin, bytes = bytes, oldest = oldest,
    first0 = first, fin0 = fin, bytes0 = bytes, pending = {} }
end
local function entryAt(log, offset)
  if offset > log.fin0 then return log.pending[offset - log.fin0] end
  return call('LINDEX', P .. 'e:' .. log.key, offset - log.first0)
end
local function dropThrough(log, through)
  if through >= log.fin then
    log.first, log.bytes, log.oldest = log.fin + 1, 0, nil
    return
  end
  if through < log.first then return end
  while log.first <= through do
    log.bytes = log.bytes - (#entryAt(log, log.first) - HEAD)
    log.first = log.first + 1
  end
  log.oldest = struct.unpack('>d', entryAt(log, log.first), 2)
end
local function dropOld(log, limit)
  while log.oldest and log.oldest < limit do dropThrough(log, log.first) end
end
local function append(log, payload, binary, now)
  log.idle = nil
  log.fin = log.fin + 1
  log.bytes = log.bytes + #payload
  log.pending[log.fin - log.fin0] = (binary and 'b' or 't') .. struct.pack('>d', now) .. payload
  if log.first == log.fin then log.oldest = now end
  while log.fin > log.first and (log.fin - log.first + 1 > A.keep.entries or log.bytes > A.keep.bytes) do
    dropThrough(log, log.first)
  end
  dropOld(log, now - A.keep.ageMs)
end

-- When expire has to look at a log: at the time of its oldest entry, or of when a topic was seen to be idle. In a cluster also of when it was
-- asked last whether those who follow it still do.
local function dueOf(log)
  if log.oldest then return num(log.oldest) end
  if not log.topic or (log.followers > 0 and not A.spread) then return nil end
  return log.idle and num(log.idle) or '-inf'
end

local sessions, topics, removed = {}, {}, {}
local fences = {}

local SESSION = { 'pod', 'epoch', 'token', 'previous', 'attempt', 'watermark', 'acked', 'created', 'life', 'attached', 'detached',
  'code', 'reason', 'base', 'first', 'fin', 'bytes', 'oldest' }
local function session(id)
  local known = sessions[id]
  if known ~= nil then return known end
  local f = call('HMGET', P .. 's:' .. id, unpack(SESSION))
  if not f[1] then
    sessions[id] = false
    return false
  end
  local s = { id = id, pod = f[1], epoch = tonumber(f[2]), token = f[3], previous = f[4], attempt = tonumber(f[5]),
    watermark = tonumber(f[6]), acked = tonumber(f[7]), created = f[8], life = tonumber(f[9]), attached = tonumber(f[10]),
    detached = tonumber(f[11]), code = f[12], reason = f[13], cursors = {}, exists = true }
  s.log = newLog('s:' .. id, f[14], tonumber(f[15]), tonumber(f[16]), tonumber(f[17]), tonumber(f[18]))
  s.log.due0 = dueOf(s.log)
  s.pod0, s.detached0 = s.pod, s.detached
  sessions[id] = s
  return s
end
local function topic(name, make)
  local known = topics[name]
  if known ~= nil and (known or not make) then return known end
  local f = call('HMGET', P .. 't:' .. name, 'base', 'first', 'fin', 'bytes', 'oldest', 'followers', 'idle')
  local t = false
  if f[1] then
    t = newLog('t:' .. name, f[1], tonumber(f[2]), tonumber(f[3]), tonumber(f[4]), tonumber(f[5]))
    t.topic, t.followers, t.idle, t.exists = name, tonumber(f[6]), tonumber(f[7]), true
    t.due0 = dueOf(t)
  elseif make then
    t = newLog('t:' .. name, newEpoch(), 1, 0, 0)
    t.topic, t.followers, t.dirty = name, 0, true
  end
  topics[name] = t
  return t
end

-- Cursors: offset and epoch of each subscription; false for none.
local function cursor(s, name)
  local known = s.cursors[name]
  if known ~= nil then return known end
  local text = call('HGET', P .. 'c:' .. s.id, name)
  local c = false
  if text then
    local offset, epoch = string.match(text, '^(%d+) (.*)$')
    c = { offset = tonumber(offset), epoch = epoch }
  end
  s.cursors[name] = c
  return c
end
-- Who follows a topic. Each group knows its own sessions (f:); in a cluster the topic knows the groups (g:).
local counts, counts0, begun = {}, {}, {}
local function follow(name, by)
  if A.spread then
    counts0[name] = counts0[name] or call('ZCARD', P .. 'f:' .. name)
    counts[name] = (counts[name] or counts0[name]) + by
    begun[name] = begun[name] or by > 0
    return
  end
  local t = topic(name, true)
  t.followers = t.followers + by
  if by > 0 then t.idle = nil end
  t.dirty = true
end
local function setCursor(s, name, c)
  local before = cursor(s, name)
  if not before and not c then return end
  if not before or not c then follow(name, c and 1 or -1) end
  s.cursors[name] = c
  s.cursorsDirty = s.cursorsDirty or {}
  s.cursorsDirty[name] = true
end

local function latestOf(pod) return tonumber(call('HGET', P .. 'latest', pod) or '0') end
local function expiryOf(s)
  return (s.detached or math.max(s.attached, latestOf(s.pod))) + s.life
end
-- f: another has the session; e: it has ended.
local function fence(s, why) fences[#fences + 1] = { s.pod, s.id, num(s.epoch), why } end
local function remove(s, by)
  if s.pod ~= by then fence(s, 'e') end
  for _, name in ipairs(call('HKEYS', P .. 'c:' .. s.id)) do cursor(s, name) end
  for name, c in pairs(s.cursors) do
    if c then follow(name, -1) end
  end
  s.entriesLeft = s.log.fin0 - s.log.first0 + 1
  sessions[s.id] = false
  removed[#removed + 1] = s
end
local function move(s, pod)
  if s.pod ~= pod then fence(s, 'f') end
  s.epoch, s.pod, s.dirty = s.epoch + 1, pod, true
end
`;
