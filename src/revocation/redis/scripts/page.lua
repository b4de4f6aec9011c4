-- Marks of one bucket in the order of their keys.
--
-- KEYS: its marks and index. ARGV: the lower bound as ZRANGE BYLEX has it, and how many.
-- Returns key and record in turn; the record is nil where the index has one mark too many.
local keys = redis.call('ZRANGE', KEYS[2], ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2])
if #keys == 0 then return {} end
local records = redis.call('HMGET', KEYS[1], unpack(keys))
local page = {}
for at, key in ipairs(keys) do
  page[#page + 1] = key
  page[#page + 1] = records[at]
end
return page
