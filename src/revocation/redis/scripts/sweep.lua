-- Drops marks of one bucket that are over.
--
-- KEYS: its marks, expiry and index. ARGV: the time, and how many at the most, so that nothing else waits long.
-- Returns how many it were.
--
-- Over by this server's clock too: whoever asks may have a clock that is wrong, and what goes here is gone for everybody.
local time = redis.call('TIME')
local now = math.min(ARGV[1], time[1] * 1000 + math.floor(time[2] / 1000))
local over = redis.call('ZRANGE', KEYS[2], '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[2])
if #over > 0 then
  redis.call('HDEL', KEYS[1], unpack(over))
  redis.call('ZREM', KEYS[2], unpack(over))
  redis.call('ZREM', KEYS[3], unpack(over))
end
return #over
