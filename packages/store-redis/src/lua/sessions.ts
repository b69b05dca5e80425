/** What a pod is told of a session that it has got: all of it but the entries. */
const STATE = `
local function stateOf(s)
  local facts = call('HMGET', P .. 's:' .. s.id, 'request', 'data')
  local subscriptions = {}
  local all = call('HGETALL', P .. 'c:' .. s.id)
  for i = 1, #all, 2 do
    local offset, epoch = string.match(all[i + 1], '^(%d+) (.*)$')
    -- In a cluster the topic lies elsewhere, and is asked next.
    local fin = A.spread and 0 or topic(all[i], true).fin
    for _, each in ipairs({ all[i], epoch, tonumber(offset), fin }) do subscriptions[#subscriptions + 1] = each end
  end
  return { s.id, s.epoch, s.watermark, epochOf(s.log), s.log.fin, s.acked, s.created, s.request or facts[1], facts[2],
    s.code or false, s.reason or false, subscriptions, A.spread and call('SMEMBERS', P .. 'k:' .. s.id) or {} }
end
`;

/** Argument: the id of a session. Returns its state, or nothing. */
export const STATE_OF = `${STATE}
local s = session(A.session)
return done(s and stateOf(s))
`;

/** Argument: a new session. Returns its state, or 'exists'. */
export const CREATE = `${STATE}
local a = A.session
if session(a.id) then return done('exists') end
local s = { id = a.id, pod = a.pod, epoch = 1, token = asText(a.token), attempt = 0, watermark = 0, acked = 0, created = num(a.nowMs), life = a.lifeMs,
  attached = a.nowMs, request = asText(a.request), cursors = {}, dirty = true }
s.log = newLog('s:' .. a.id, newEpoch(), 1, 0, 0)
sessions[a.id] = s
return done(stateOf(s), a.pod)
`;

/**
 * Argument: a claim. Returns the state of the session or the refusal. What is compared are hashes of random tokens, so the time that it takes
 * tells nothing that helps to guess one.
 */
export const ATTACH = `${STATE}
local a = A.claim
local s = session(a.id)
if not s or expiryOf(s) < a.nowMs then return done('unknown') end
if a.presented == '' or (s.token ~= a.presented and s.previous ~= a.presented) then return done('refused') end
if a.attempt <= s.attempt then return done('late') end
s.token, s.previous, s.attempt, s.attached, s.detached = asText(a.next), a.presented, a.attempt, a.nowMs, nil
move(s, a.pod)
return done(stateOf(s), a.pod)
`;

/** Arguments: pod and untilMs. */
export const LEASE = `
write('ZADD', P .. 'leases', num(A.untilMs), A.pod)
write('HSET', P .. 'latest', A.pod, num(math.max(A.untilMs, latestOf(A.pod))))
return done(1, A.pod)
`;

/**
 * Arguments: pod, nowMs and limit. Returns the states of the sessions that were taken and, in a cluster, which batches have to be finished before
 * others can be. `dry`: nothing is taken, but counted.
 */
export const ADOPT = `${STATE}
local PAGE = 100
local states, unfinished = {}, {}
local function isClaimed(s)
  local claims = A.spread and call('SMEMBERS', P .. 'k:' .. s.id) or {}
  for _, claim in ipairs(claims) do
    unfinished[#unfinished + 1] = claim
    unfinished[#unfinished + 1] = s.id
  end
  return #claims > 0
end
local function adoptFrom(pod)
  local skipped = 0
  while #states + #unfinished / 2 < A.limit do
    local ids = call('ZRANGE', P .. 'own:' .. pod, skipped, skipped + PAGE - 1)
    if #ids == 0 then return end
    skipped = skipped + #ids
    for _, id in ipairs(ids) do
      if #states + #unfinished / 2 >= A.limit then return end
      local s = session(id)
      if expiryOf(s) < A.nowMs or isClaimed(s) then
        -- It stays.
      elseif A.dry then
        states[#states + 1] = id
      else
        s.detached = s.detached or A.nowMs
        move(s, A.pod)
        states[#states + 1] = stateOf(s)
      end
    end
  end
end
for _, pod in ipairs(call('ZRANGEBYSCORE', P .. 'leases', '-inf', '(' .. num(A.nowMs))) do
  if pod ~= A.pod then adoptFrom(pod) end
end
return done({ states, unfinished }, A.pod)
`;

/** Arguments: nowMs and limit. Ends sessions whose life is over; `dry`: counts them. Defines `expired`, their ids. */
const END_SESSIONS = `
local expired = {}
local function endIfOver(id)
  local s = session(id)
  if not s or expiryOf(s) >= A.nowMs then return end
  if not A.dry then remove(s) end
  expired[#expired + 1] = id
end
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'detached', '-inf', '(' .. num(A.nowMs), 'LIMIT', 0, A.limit)) do endIfOver(id) end
-- While the lease of a pod runs, or has run out a shorter time ago than they live, none of its attached sessions is over.
local owners = call('SMEMBERS', P .. 'owners')
for _, pod in ipairs(owners) do
  local since = A.nowMs - latestOf(pod)
  if since > 0 and #expired < A.limit then
    for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'own:' .. pod, '-inf', '(' .. num(since))) do
      if #expired >= A.limit then break end
      endIfOver(id)
    end
  end
end
`;

/** Defines `swept(place)`: throws away some of what lies in a place that was given up, as its indexes name it, and says whether that was all. */
const SWEEP = `
local function swept(old)
  local left = 1000
  local function drop(stream)
    local name = string.sub(stream, 3)
    write('DEL', old .. stream, old .. 'e:' .. stream, old .. 'f:' .. name, old .. 'g:' .. name)
    left = left - 1
  end
  local function each(index, take)
    if left <= 0 then return end
    for _, name in ipairs(call('ZRANGE', old .. index, 0, left - 1)) do
      if left <= 0 then return end
      take(name)
      write('ZREM', old .. index, name)
    end
  end
  for _, pod in ipairs(call('SMEMBERS', old .. 'owners')) do
    each('own:' .. pod, function(id)
      for _, name in ipairs(call('HKEYS', old .. 'c:' .. id)) do drop('t:' .. name) end
      write('DEL', old .. 'c:' .. id, old .. 'k:' .. id)
      drop('s:' .. id)
    end)
  end
  each('due', drop)
  each('records', function(ref)
    write('DEL', old .. 'r:' .. ref)
    left = left - 1
  end)
  if left <= 0 then return false end
  for _, index in ipairs({ 'owners', 'detached', 'due', 'records', 'leases', 'latest', 'probe' }) do write('DEL', old .. index) end
  return true
end
`;

/**
 * Argument: nowMs. Drops what retention no longer keeps, and forgets idle topics and pods. What is left beyond some thousand streams is found by
 * the next call. Ends the script. Returns `expired` or, in a cluster, of which topics it should be asked whether they are still followed, by which groups, and which
 * batches nobody has finished.
 */
const FORGET = `${SWEEP}
local STREAMS = 1000
local UNFINISHED_S, DEAD_S = 10, 2700
local limit = A.nowMs - A.keep.ageMs
local asks = {}
for _, key in ipairs(call('ZRANGEBYSCORE', P .. 'due', '-inf', '(' .. num(limit), 'LIMIT', 0, STREAMS)) do
  local name = string.sub(key, 3)
  if string.sub(key, 1, 2) == 's:' then
    local s = session(name)
    if s then
      dropOld(s.log, limit)
      s.dirty = true
    end
  else
    local t = topic(name, true)
    dropOld(t, limit)
    t.dirty = true
    if not t.oldest and t.followers > 0 then
      -- Only in a cluster.
      if t.idle and t.idle < limit then asks[#asks + 1] = { name, call('HKEYS', P .. 'g:' .. name) } end
      if not t.idle or t.idle < limit then t.idle = A.nowMs end
    elseif not t.oldest then
      if not t.idle then t.idle = A.nowMs elseif t.idle < limit then t.forgotten = true end
    end
  end
end
-- A topic that has lost its last entry or follower just now.
for _, t in pairs(topics) do
  if t and not t.oldest and t.followers == 0 and not t.idle then t.idle, t.dirty = A.nowMs, true end
end

local unfinished = {}
local dead = {}
if A.spread then
  local now = tonumber(call('TIME')[1])
  unfinished = call('ZRANGEBYSCORE', P .. 'records', '-inf', '(' .. num(now - UNFINISHED_S), 'LIMIT', 0, 100)
  dead = call('ZRANGEBYSCORE', P .. 'records', '-inf', '(' .. num(now - DEAD_S), 'LIMIT', 0, 100)
end
-- By now others may have forgotten which of it they have applied.
for _, ref in ipairs(dead) do
  write('DEL', P .. 'r:' .. ref)
  mislead('ZREM', P .. 'records', ref)
end
local owning = {}
for _, pod in ipairs(call('SMEMBERS', P .. 'owners')) do owning[pod] = call('ZCARD', P .. 'own:' .. pod) end
for _, s in ipairs(removed) do owning[s.pod0] = owning[s.pod0] - 1 end
for _, pod in ipairs(call('ZRANGEBYSCORE', P .. 'leases', '-inf', '(' .. num(limit))) do
  if (owning[pod] or 0) == 0 and latestOf(pod) < limit then
    write('ZREM', P .. 'leases', pod)
    write('HDEL', P .. 'latest', pod)
  end
end
if meta.swept < meta.place and swept(placeOf(meta.swept)) then meta.swept, metaDirty = meta.swept + 1, true end
return done(A.spread and { asks, unfinished } or expired)
`;

/** One server: all of it. */
export const EXPIRE = `${END_SESSIONS}${FORGET}`;
/** A cluster: first the sessions of all groups, then what nobody follows any more. */
export const EXPIRE_SESSIONS = `${END_SESSIONS}
return done(expired)
`;
export const EXPIRE_STREAMS = FORGET;
