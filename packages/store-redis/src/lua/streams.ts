/**
 * Arguments: stream, after, entries and bytes. Returns epoch, first, end and the entries from `from` on; a topic that is not there is made, and
 * nothing is returned for a session that is not.
 */
export const READ = `
local name = string.sub(A.stream, 3)
local log
if string.sub(A.stream, 1, 2) == 't:' then
  log = topic(name, true)
else
  log = (session(name) or {}).log
end
if not log then return done(false) end
local PAGE = 64
local from = math.max(A.after + 1, log.first)
local entries, bytes, next = {}, 0, from
while next <= log.fin and #entries < A.entries and bytes < A.bytes do
  local last = math.min(log.fin, next + PAGE - 1)
  for _, entry in ipairs(call('LRANGE', P .. 'e:' .. log.key, next - log.first0, last - log.first0)) do
    entries[#entries + 1] = entry
    bytes = bytes + #entry - HEAD
    if #entries >= A.entries or bytes >= A.bytes then break end
  end
  next = last + 1
end
return done({ epochOf(log), log.first, log.fin, from, entries })
`;

/** Argument: streams. Returns for each its end, its epoch, and of a session's who owns it under which epoch; end -1 where there is none. */
export const POSITIONS = `
local result = {}
for _, stream in ipairs(A.streams) do
  local name = string.sub(stream, 3)
  if string.sub(stream, 1, 2) == 't:' then
    local t = topic(name)
    result[#result + 1] = t and { t.fin, epochOf(t) } or { -1, '' }
  else
    local s = session(name)
    result[#result + 1] = s and { s.log.fin, epochOf(s.log), s.pod, s.epoch } or { -1, '' }
  end
end
return done(result)
`;

/** Arguments: topic, after and limit. Returns how many sessions follow the topic, and those whose ids come behind `after`. */
export const FOLLOWERS = `
local key = P .. 'f:' .. A.topic
local from = A.after == '' and '-' or '(' .. A.after
return done({ call('ZCARD', key), call('ZRANGEBYLEX', key, from, '+', 'LIMIT', 0, A.limit) })
`;

export const STATS = `
return done({ meta.sessions, meta.sessions + meta.topics, meta.entries, meta.bytes })
`;

/**
 * Arguments: topics, and the group whose sessions follow them. Returns for each topic its end, its epoch, and whether it knows that it is followed
 * from there. Topics that are not there are made.
 */
export const LOOK = `
local result = {}
for _, name in ipairs(A.topics) do
  local t = topic(name, true)
  local isKnown = not A.group or call('HEXISTS', P .. 'g:' .. name, num(A.group)) == 1
  result[#result + 1] = { t.fin, epochOf(t), isKnown and 1 or 0 }
end
return done(result)
`;

/** Argument: topics. Returns whether sessions of this group follow them: name, turn and 1 or 0 of each. */
export const REFS = `
local turns = {}
for _, name in ipairs(A.topics) do
  local isFollowed = call('EXISTS', P .. 'f:' .. name) == 1
  for _, each in ipairs({ name, meta.turn, isFollowed and 1 or 0 }) do turns[#turns + 1] = each end
end
return done(turns)
`;

/**
 * Arguments: a group, and turns of it as {@link FLUSH} and {@link REFS} say them. The topics know from now on whether that group follows them. A turn that
 * comes after a later one of its group says nothing.
 */
export const FOLLOW = `
local group = num(A.group)
for i = 1, #A.turns, 3 do
  local name, turn, isFollowed = A.turns[i], A.turns[i + 1], A.turns[i + 2] == 1
  local t = topic(name, isFollowed)
  local last = t and tonumber(call('HGET', P .. 'g:' .. name, group) or '-1')
  if t and isFollowed and turn > last then
    write('HSET', P .. 'g:' .. name, group, num(turn))
    if last < 0 then t.followers, t.idle, t.dirty = t.followers + 1, nil, true end
  elseif t and not isFollowed and last >= 0 and turn > last then
    write('HDEL', P .. 'g:' .. name, group)
    t.followers, t.idle, t.dirty = t.followers - 1, nil, true
  elseif t and not isFollowed and last < 0 then
    t.idle, t.dirty = nil, true
  end
end
return done(1)
`;
