-- Drops marks of one bucket that are over.
--
-- KEYS: its marks, expiry and index. ARGV: the time, and how many at the most, so that nothing else waits long.
-- Returns how many it were.
local over = redis.call('ZRANGE', KEYS[2], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
if #over > 0 then
  redis.call('HDEL', KEYS[1], unpack(over))
  redis.call('ZREM', KEYS[2], unpack(over))
  redis.call('ZREM', KEYS[3], unpack(over))
end
return #over
