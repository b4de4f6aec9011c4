-- Says what came of an attempt.
--
-- ARGV: 18 `failed`, `untold` or `succeeded`; 19 whether it was let in as of a user who has logged in there; 20 how long it may
-- be tried, 21 how long an address is remembered, in milliseconds.
local outcome = ARGV[18]

for _, charge in ipairs(charges(ARGV[19] == '1')) do
  -- Once, however often it is said; and of an attempt that took too long it stays as it is.
  local until_when = redis.call('ZSCORE', charge.pending, attempt)
  redis.call('ZREM', charge.pending, attempt)
  if until_when and outcome ~= 'failed' then
    local back = 1 + math.floor(now / charge.length) - math.floor((until_when - ARGV[20]) / charge.length)
    for _, cell in ipairs(charge.cells) do
      local counts = read(charge, cell)
      if (counts[back] or 0) > 0 then
        counts[back] = counts[back] - 1
        write(charge, cell, counts)
      end
    end
  end
end

local limit, length = tonumber(ARGV[4]), tonumber(ARGV[5])
if outcome ~= 'succeeded' or limit == 0 then return 1 end
-- From now on this user has an allowance of his own at this address, all of it.
local PLACES = 8
local slot = math.floor(now / length)
if redis.call('HEXISTS', KEYS[1], place) == 0 and redis.call('HLEN', KEYS[1]) >= 2 * PLACES then
  -- The one of the oldest login gives way, if nothing has failed there lately.
  local all, found, oldest = redis.call('HGETALL', KEYS[1]), {}, nil
  for at = 1, #all, 2 do found[all[at]] = all[at + 1] end
  for field, since in pairs(found) do
    local of = string.match(field, '^at:(.*)$')
    if of and total(window(found[of], slot), 0) == 0 and (not oldest or tonumber(since) < tonumber(found['at:' .. oldest])) then
      oldest = of
    end
  end
  if not oldest then return 1 end
  redis.call('HDEL', KEYS[1], oldest, 'at:' .. oldest)
end
-- Those that are being tried there may all fail.
local counts = window(nil, slot)
counts[1] = tried(KEYS[2])
redis.call('HSET', KEYS[1], place, slot .. ' ' .. table.concat(counts, ' '), 'at:' .. place, string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[21])
return 1
