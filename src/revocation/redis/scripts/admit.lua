-- Lets an attempt be made, and counts it as failed until settle.lua says otherwise: whoever goes away has failed, and many at once, at
-- whichever replicas, get no further than one by one.
--
-- ARGV: 18 how long it may be tried, in milliseconds; 19 until when somebody waits for the answer.
-- Returns 1 and whether the user has logged in there; 2 if those that are being tried are in the way and may all be right;
-- 3 and how many milliseconds to wait; 4 if nobody waits for the answer any more. Whoever asked would not say what came of it, and a user
-- who tried again and again while the server was frozen would have failed as often.
if now > tonumber(ARGV[19]) then return { 4 } end
local is_known = redis.call('HEXISTS', KEYS[1], place) == 1
local charged = charges(is_known)
local wait

for _, charge in ipairs(charged) do
  -- Asked once more, because the answer was lost on its way.
  if redis.call('ZSCORE', charge.pending, attempt) then return { 1, is_known and 1 or 0 } end
end

for _, charge in ipairs(charged) do
  local slot = math.floor(now / charge.length)
  local least, longest, has_room = nil, nil, false
  for _, cell in ipairs(charge.cells) do
    local counts = read(charge, cell)
    local sum = total(counts, 0)
    if sum < charge.limit then has_room = true end
    local passed = 1
    while passed < SLOTS and total(counts, passed) >= charge.limit do passed = passed + 1 end
    -- Names share cells: the one with the fewest failures is nearest to the truth.
    least = math.min(least or sum, sum)
    longest = math.min(longest or math.huge, (slot + passed) * charge.length - now)
  end
  if not has_room then
    if least - tried(charge.pending) < charge.limit then longest = 0 end
    wait = math.max(wait or 0, longest)
  end
end
if wait == 0 then return { 2 } end
if wait then return { 3, wait } end

for _, charge in ipairs(charged) do
  for _, cell in ipairs(charge.cells) do
    local counts = read(charge, cell)
    counts[1] = math.min(counts[1] + 1, 65535)
    write(charge, cell, counts)
  end
  redis.call('ZADD', charge.pending, now + ARGV[18], attempt)
  redis.call('PEXPIRE', charge.pending, ARGV[18])
end
return { 1, is_known and 1 or 0 }
