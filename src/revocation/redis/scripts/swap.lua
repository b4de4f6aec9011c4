-- Puts a session's record in the place of the one that is expected there.
--
-- KEYS: the session. ARGV: the record expected, the next one, and until when that is kept.
-- Returns 1 if it was done, else 0 and what stands there, nil if nothing.
--
-- Compared and set while no other command can run on the server: of all who expect the same record, the first finds it, and
-- the others find what the first has put there.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then
  -- Perhaps done before, and the answer was lost. WAIT counts the replicas that have the last write of this connection.
  if current == ARGV[2] then redis.call('SET', KEYS[1], current, 'PXAT', ARGV[3]) end
  return { 0, current }
end
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
return { 1 }
