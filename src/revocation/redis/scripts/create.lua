-- Puts a session's record where nothing is.
--
-- KEYS: the session. ARGV: its record, and until when it is kept.
-- Returns 1, or 0 if something else stands there. The same record may: the answer was lost, and it is written again because WAIT counts
-- the replicas that have the last write of this connection.
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
return 1
