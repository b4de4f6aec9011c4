-- Raises a number to ARGV[1], unless it is that high already. KEYS: where it stands.
local current = redis.call('GET', KEYS[1])
if current and not tonumber(current) then return redis.error_reply('DOORWARDRECORD a number cannot be read') end
-- Also where it is that high already: WAIT counts the replicas that have the last write of this connection, and that may be another's.
if current and tonumber(current) >= tonumber(ARGV[1]) then redis.call('SET', KEYS[1], current) else redis.call('SET', KEYS[1], ARGV[1]) end
return 1
