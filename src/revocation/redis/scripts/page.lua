-- Marks of one bucket in the order of their keys.
--
-- KEYS: the bucket's marks, expiry, index and stream. ARGV: the lower bound as ZRANGE BYLEX has it, and how many.
-- Returns key and record in turn; the record is nil where the index has one mark too many.
local marks, expiry, index, stream = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- They are written in one step, so they differ only where a server that is short of memory threw one of them away. Whoever begins to
-- read must not take what is left for all there is.
if ARGV[1] == '-' then
  local count, ends_count, index_count = redis.call('HLEN', marks), redis.call('ZCARD', expiry), redis.call('ZCARD', index)
  if count ~= ends_count or count ~= index_count then
    local all, last, rest = redis.call('HGETALL', marks), 0, {}
    for at = 1, #all, 2 do
      local ends = string.match(string.sub(all[at + 1], 18), '^(%-?%d+) ')
      if not ends then return redis.error_reply('DOORWARDRECORD a mark cannot be read') end
      rest[#rest + 1] = { ends, all[at] }
      last = math.max(last, tonumber(ends))
    end
    redis.call('DEL', expiry, index)
    for _, mark in ipairs(rest) do
      redis.call('ZADD', expiry, mark[1], mark[2])
      redis.call('ZADD', index, 0, mark[2])
    end
    for _, name in ipairs({ marks, expiry, index }) do redis.call('PEXPIREAT', name, string.format('%.0f', last)) end
    if count < ends_count or count < index_count then
      -- Without its stream the bucket is read anew by all who follow it, and they write back what they know.
      redis.call('DEL', stream)
      return redis.error_reply('DOORWARDEVICTED marks were thrown away')
    end
  end
end

local keys = redis.call('ZRANGE', index, ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2])
if #keys == 0 then return {} end
local records = redis.call('HMGET', marks, unpack(keys))
local page = {}
for at, key in ipairs(keys) do
  page[#page + 1] = key
  page[#page + 1] = records[at]
end
return page
