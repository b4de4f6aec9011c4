-- Puts an instance on the list, or renews what it told.
--
-- KEYS: the list, and what each told. ARGV: its id, what it tells, for how many milliseconds the silent are kept, and how many at the most.
-- Returns how many are listed.
local list, told = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('ZADD', list, now, ARGV[1])
redis.call('HSET', told, ARGV[1], ARGV[2])
-- Since when there is a list: on a new one not everybody may be yet.
redis.call('HSETNX', told, 'since', now)

-- Those that were not heard of for the longest time go first, a hundred at a time.
local gone = redis.call('ZRANGE', list, '-inf', now - ARGV[3], 'BYSCORE', 'LIMIT', 0, 100)
local surplus = redis.call('ZCARD', list) - ARGV[4]
if #gone == 0 and surplus > 0 then gone = redis.call('ZRANGE', list, 0, math.min(surplus, 100) - 1) end
if #gone > 0 then
  redis.call('ZREM', list, unpack(gone))
  redis.call('HDEL', told, unpack(gone))
end

-- When nobody is left, nothing is.
redis.call('PEXPIRE', list, ARGV[3])
redis.call('PEXPIRE', told, ARGV[3])
return redis.call('ZCARD', list)
