/**
 * Arguments: a batch, the number of it and the lowest number that is still open (of those of this store object, A.me). A batch that was
 * applied before is answered with what it was answered then, and one that nobody waits for any more is refused: it may reach the server after the
 * one that was sent in its place. The answer is a text: for each part F or P and the number of its effects, for each effect x or offset:epoch.
 */
export const COMMIT = `
local MEMORY_MS = 3600000
local memory = P .. 'memory:' .. A.me
local floor = tonumber(call('HGET', memory, 'floor') or '0')
if A.id <= floor then return done('stale') end
local known = call('HGET', memory, num(A.id))
if known then return done('again ' .. known) end

local batch = A.batch
local now = batch.nowMs
local answer = {}
local function say(word) answer[#answer + 1] = word end
local function holder(g)
  local s = session(g.session)
  return s and s.epoch == g.epoch and s
end
local function landed(log, offset) return num(offset) .. ':' .. epochOf(log) end
local effectsLeft = A.failAt

local function progress(s, part)
  if part.watermark and part.watermark > s.watermark then s.watermark = part.watermark end
  if part.confirm then s.previous = nil end
  if part.acked and part.acked > s.acked then
    s.acked = math.min(part.acked, s.log.fin)
    dropThrough(s.log, s.acked)
  end
  if part.detachedMs == cjson.null then
    if s.detached then s.attached = now end
    s.detached = nil
  elseif part.detachedMs then
    s.detached = part.detachedMs
  end
  s.dirty = true
  for _, acked in ipairs(part.topicsAcked or {}) do
    local c = cursor(s, acked.topic)
    if c and acked.offset > c.offset then
      setCursor(s, acked.topic, { epoch = c.epoch, offset = math.min(acked.offset, topic(acked.topic, true).fin) })
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
      local t = topic(e.topic, true)
      c = { offset = t.fin, epoch = epochOf(t) }
      setCursor(s, e.topic, c)
    end
    return num(c.offset) .. ':' .. c.epoch
  elseif e.type == 'unsubscribe' then
    setCursor(s, e.topic, false)
  elseif e.type == 'data' then
    s.data, s.dirty = e.data, true
  elseif e.type == 'close' and not s.code then
    s.code, s.reason, s.dirty = num(e.code), e.reason, true
  end
  return '0:'
end

for _, part in ipairs(batch.parts) do
  local s = part.guard and holder(part.guard)
  if part.guard and not s then
    say('F')
  else
    if s then progress(s, part) end
    say('P' .. num(#part.effects))
    for _, e in ipairs(part.effects) do say(apply(e)) end
    if s and part['end'] then remove(s, batch.pod) end
  end
end

local text = table.concat(answer, ' ')
local result = done(text, batch.pod)
for number = floor + 1, A.open - 1 do call('HDEL', memory, num(number)) end
call('HSET', memory, 'floor', num(A.open - 1), num(A.id), text)
call('PEXPIRE', memory, MEMORY_MS)
return result
`;
