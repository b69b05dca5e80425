/** Arguments: the number of a batch, of the store object A.owner or A.me. Defines what is remembered of such batches. */
const MEMORY = `
local MEMORY_MS = 3600000
local memory = P .. 'memory:' .. (A.owner or A.me)
local field = num(A.id) .. (A.step or '')
local floor = tonumber(call('HGET', memory, 'floor') or '0')
local known = A.id > floor and call('HGET', memory, field)
local function remember(text)
  if A.open and A.spread then
    -- Few of the numbers come by here.
    for _, old in ipairs(call('HKEYS', memory)) do
      if tonumber(string.match(old, '^%d+') or A.open) < A.open then write('HDEL', memory, old) end
    end
  elseif A.open then
    for number = floor + 1, A.open - 1 do write('HDEL', memory, num(number)) end
  end
  write('HSET', memory, 'floor', num(math.max(floor, (A.open or 0) - 1)), field, text)
  write('PEXPIRE', memory, num(MEMORY_MS))
end
`;

/**
 * Arguments: a batch, the number of it and the lowest number that is still open (of those of this store object, A.me). A batch that was
 * applied before is answered with what it was answered then, and one that nobody waits for any more is refused: it may reach the server after the
 * one that was sent in its place. The answer is a text: for each part F (fenced), G (its session is gone) or P and the number of its effects, for each effect x or offset:epoch.
 *
 * In a cluster it is what concerns this group, and one of the steps of a batch. `decided` has the sessions, with their epochs, whose guards
 * were found to be current when the batch was recorded: they count as current, whoever has them by now.
 */
export const COMMIT = `${MEMORY}
if A.id <= floor then return done('stale') end
if known then return done('again ' .. known) end

local batch = A.batch
local now = batch.nowMs
local decided = A.decided or {}
local answer = {}
local function say(word) answer[#answer + 1] = word end
local function holder(g)
  local s = session(g.session)
  return s and (s.epoch == g.epoch or decided[g.session] == g.epoch) and s
end
local function landed(log, offset) return num(offset) .. ':' .. epochOf(log) end
local effectsLeft = A.failAt

local function progress(s, part)
  if part.watermark and part.watermark > s.watermark then s.watermark = part.watermark end
  -- Recorded before the session moved: how it is attached now is another's to say.
  local isMoved = s.epoch ~= part.guard.epoch
  if part.confirm and not isMoved then s.previous = nil end
  if part.acked and part.acked > s.acked then
    s.acked = math.min(part.acked, s.log.fin)
    dropThrough(s.log, s.acked)
  end
  if isMoved then
    -- See above.
  elseif part.detachedMs == cjson.null then
    if s.detached then s.attached = now end
    s.detached = nil
  elseif part.detachedMs then
    s.detached = part.detachedMs
  end
  s.dirty = true
  for _, acked in ipairs(part.topicsAcked or {}) do
    local c = cursor(s, acked.topic)
    if c and acked.offset > c.offset then
      local fin = A.spread and acked.offset or topic(acked.topic, true).fin
      setCursor(s, acked.topic, { epoch = c.epoch, offset = math.min(acked.offset, fin) })
    end
  end
end

local function apply(e)
  if effectsLeft then
    if effectsLeft == 0 then error('on purpose') end
    effectsLeft = effectsLeft - 1
  end
  if e.type == 'publish' then
    local t = topic(e.topic, true)
    append(t, ARGV[DATA + e.payload], e.binary, now)
    t.dirty = true
    return landed(t, t.fin)
  elseif e.type == 'look' then
    -- In a cluster, for a session that lies elsewhere: where the topic is at this point of the batch.
    local t = topic(e.topic, true)
    return landed(t, t.fin)
  end
  -- Epoch 0: from somebody who does not hold the session.
  local s = e.type == 'send' and e.epoch == 0 and session(e.session) or holder(e)
  if not s then return 'x' end
  if e.type == 'send' then
    if s.code then return 'x' end
    append(s.log, ARGV[DATA + e.payload], e.binary, now)
    s.dirty = true
    return landed(s.log, s.log.fin)
  elseif e.type == 'subscribe' then
    local c = cursor(s, e.topic)
    if not c then
      if A.spread then
        c = { offset = e.offset, epoch = e.stream }
      else
        local t = topic(e.topic, true)
        c = { offset = t.fin, epoch = epochOf(t) }
      end
      setCursor(s, e.topic, c)
    end
    return num(c.offset) .. ':' .. c.epoch
  elseif e.type == 'unsubscribe' then
    setCursor(s, e.topic, false)
  elseif e.type == 'data' then
    s.data, s.dirty = asText(e.data), true
  elseif e.type == 'close' and not s.code then
    s.code, s.reason, s.dirty = num(e.code), asText(e.reason), true
  end
  return '0:'
end

for _, part in ipairs(batch.parts) do
  local s = part.guard and holder(part.guard)
  if part.guard and not s and not A.decided then
    say(session(part.guard.session) and 'F' or 'G')
  else
    if s then progress(s, part) end
    say('P' .. num(#part.effects))
    for _, e in ipairs(part.effects) do say(apply(e)) end
    if s and part['end'] then remove(s, batch.pod) end
  end
end

local text = table.concat(answer, ' ')
remember(text)
return done(text, batch.pod)
`;

/**
 * Arguments: a batch that is about to be recorded (A.group, A.id), and guards. Returns for each 1 where it is current, 0 where not, -1 where there is no session; those sessions know of the
 * batch from now on, so that whoever gets one of them finishes the batch first. Batches of this object that are finished are forgotten.
 */
export const CLAIM = `
local held = {}
for i, g in ipairs(A.guards) do
  local s = session(g.session)
  held[i] = s and (s.epoch == g.epoch and 1 or 0) or -1
end
for i, g in ipairs(A.guards) do
  local key = P .. 'k:' .. g.session
  for _, ref in ipairs(call('SMEMBERS', key)) do
    local owner, id = string.match(ref, '^%d+ (.*):(%d+)$')
    if owner == A.me and tonumber(id) < A.open then write('SREM', key, ref) end
  end
  if held[i] == 1 then write('SADD', key, num(A.group) .. ' ' .. A.me .. ':' .. num(A.id)) end
end
return done(held)
`;

/** Arguments: session and references of batches that are finished, or will never be recorded. */
export const UNCLAIM = `
for _, ref in ipairs(A.refs) do write('SREM', P .. 'k:' .. A.session, ref) end
return done(1)
`;

/**
 * Arguments: the number of a batch; its record is in the payloads. From now on it is committed, and whoever finds it applies it. Returns 'recorded',
 * or 'there' if it was already, 'void' if somebody has given it up, 'stale', or the answer of a batch that is through.
 */
export const RECORD = `${MEMORY}
local key = P .. 'r:' .. A.me .. ':' .. num(A.id)
if A.id <= floor then return done('stale') end
if known then return done(known == 'void' and known or 'again ' .. known) end
if call('EXISTS', key) == 1 then return done('there') end
if A.failAt then error('on purpose') end
local now = call('TIME')[1]
lead('ZADD', P .. 'records', now, A.me .. ':' .. num(A.id))
local chunk = {}
for i = DATA + 1, #ARGV do
  chunk[#chunk + 1] = ARGV[i]
  if #chunk == 500 or i == #ARGV then
    write('RPUSH', key, unpack(chunk))
    chunk = {}
  end
end
return done('recorded')
`;

/**
 * Arguments: the number of a batch. Returns its record, or what RECORD would. Where there is none: 'none'; with `void` it can not be recorded any
 * more.
 */
export const RECALL = `${MEMORY}
if A.id <= floor then return done('stale') end
if known then return done(known == 'void' and known or 'again ' .. known) end
local found = call('LRANGE', P .. 'r:' .. (A.owner or A.me) .. ':' .. num(A.id), 0, -1)
if #found > 0 then return done(found) end
if A.void then remember('void') end
return done(A.void and 'void' or 'none')
`;

/** Arguments: the number of a batch that is applied everywhere, and its answer. */
export const CLEAR = `${MEMORY}
local ref = (A.owner or A.me) .. ':' .. num(A.id)
write('DEL', P .. 'r:' .. ref)
mislead('ZREM', P .. 'records', ref)
if A.id > floor and not known then remember(A.text) end
return done(1)
`;
