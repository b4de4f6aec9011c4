-- Whose data it is, how a stream stands, and what time it is.
--
-- KEYS: the stream. Returns INFO server, INFO replication, XINFO STREAM or nil where there is none, and TIME.
--
-- As one step: between two, the server could be made the replica of another, whose stream this would be then. Not as a transaction:
-- a server whose memory is used up refuses those, also where they only read.
local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
if stream.err then
  if not string.find(stream.err, 'no such key', 1, true) then return stream end
  stream = false
end
return { redis.call('INFO', 'server'), redis.call('INFO', 'replication'), stream, redis.call('TIME') }
