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
