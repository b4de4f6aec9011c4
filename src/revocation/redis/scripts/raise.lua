-- Raises a number to ARGV[1], unless it is that high already. KEYS: where it stands.
local current = redis.call('GET', KEYS[1])
if current and not tonumber(current) then return redis.error_reply('DOORWARDRECORD a number cannot be read') end
if not current or tonumber(current) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
