-- Failed logins, counted as users/throttle does it; in front of admit.lua and settle.lua.
--
-- KEYS: 1 from where this user has logged in (hash); 2 to 4 what is being tried as this user there, as this user, and from there
--   (sorted sets: attempt -> until when it is waited for); 5 to 8 and 9 to 12 where the cells of the user and of the address are (hashes).
-- ARGV: 1 the time in milliseconds, or `-` for the server's; 2 the attempt; 3 the address; then how many failures are borne (0 = any number)
--   and how long a slot of their window is: 4 and 5 for the user there, 6 and 7 for the user, with four cells from 8, 12 and 13 for the
--   address, with four cells from 14.
--
-- All keys have one hash tag, so that one script sees all of it: two that asked for the name and for the address, one after the other,
-- would let through what neither of them counts yet.
local now, attempt, place = tonumber(ARGV[1]), ARGV[2], ARGV[3]
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Slots of a window: eight that are over, and the one that is filling.
local SLOTS = 9

-- Under what an attempt is counted.
local function charges(is_known)
  local found = {}
  local function add(at, pending, cells, keep)
    local limit, length = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    if limit > 0 then found[#found + 1] = { limit = limit, length = length, pending = pending, cells = cells, keep = keep } end
  end
  if is_known then
    add(4, KEYS[2], { { KEYS[1], place } }, nil)
    return found
  end
  for _, from in ipairs({ { 6, KEYS[3], 5 }, { 12, KEYS[4], 9 } }) do
    local at, pending, first = from[1], from[2], from[3]
    local cells = {}
    for number = 0, 3 do cells[#cells + 1] = { KEYS[first + number], ARGV[at + 2 + number] } end
    add(at, pending, cells, (SLOTS + 1) * tonumber(ARGV[at + 1]))
  end
  return found
end

-- The counts of a window as they are in `slot`, the newest first. Set back the clock keeps them, as windows in memory do.
local function window(text, slot)
  local counts, newest = {}, nil
  for number in string.gmatch(text or '', '%d+') do
    if newest then counts[#counts + 1] = tonumber(number) else newest = tonumber(number) end
  end
  local passed = math.max(0, math.min(slot - (newest or slot), SLOTS))
  local moved = {}
  for at = 1, SLOTS do moved[at] = counts[at - passed] or 0 end
  return moved
end

local function read(charge, cell)
  return window(redis.call('HGET', cell[1], cell[2]), math.floor(now / charge.length))
end

local function write(charge, cell, counts)
  redis.call('HSET', cell[1], cell[2], math.floor(now / charge.length) .. ' ' .. table.concat(counts, ' '))
  if charge.keep then redis.call('PEXPIRE', cell[1], charge.keep) end
end

-- How many failures there are when so many slots more have passed.
local function total(counts, passed)
  local sum = 0
  for at = 1, SLOTS - passed do sum = sum + counts[at] end
  return sum
end

-- How many are being tried. Who was waited for long enough has failed, and is counted so already.
local function tried(pending)
  redis.call('ZREMRANGEBYSCORE', pending, '-inf', now)
  return redis.call('ZCARD', pending)
end
