-- The list of instances, with how far each is in one bucket: a part of what it told, so that the answer stays small.
--
-- KEYS: the list, and what each told. ARGV: from which byte to which the bucket's part is, where the name begins, and how many at the most.
-- Returns for how many milliseconds there has been a list, and of each instance in turn its id, for how long nothing was heard of it,
-- the version of what it told, that part, and its name.
local list, told = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local listed = redis.call('ZRANGE', list, 0, ARGV[4] - 1, 'WITHSCORES')
local roll = { now - (redis.call('HGET', told, 'since') or now) }
for at = 1, #listed, 2 do
  local record = redis.call('HGET', told, listed[at]) or ''
  roll[#roll + 1] = listed[at]
  roll[#roll + 1] = now - listed[at + 1]
  roll[#roll + 1] = string.sub(record, 1, 1)
  roll[#roll + 1] = string.sub(record, ARGV[1], ARGV[2])
  roll[#roll + 1] = string.sub(record, ARGV[3])
end
return roll
