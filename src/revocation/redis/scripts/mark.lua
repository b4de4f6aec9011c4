-- Makes marks in one bucket, or restores them; each as one step with what stands there.
--
-- KEYS: the bucket's marks, expiry, index and stream.
-- ARGV: the length of the stream, how many marks that are over to drop, `make` or `restore`, and of each mark its key, end, cut-off or `-`,
-- and name or nothing.
-- Returns where the last one stands on the stream (`0-0` if it was restored and there already), and what names the history in which it does: asked
-- in the same step, or another server could have taken over meanwhile.
--
-- A script is alone on the server while it runs, so no two marks of one key can each take the other for absent. It reads all
-- before it writes anything: where a record cannot be read or there is no room (OOM is found at the first write), nothing was done.
local marks, expiry, index, stream = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function told(section, name)
  return string.match(redis.call('INFO', section), name .. ':%w+') or ''
end

-- Numbers are compared as Lua has them: whole and exact up to 2^53, beyond which none is sent.
local function parse(record)
  if string.byte(record, 1) ~= 1 then return nil end
  return string.match(string.sub(record, 18), '^(%-?%d+) (%-?%d*) (.*)$')
end

local wanted = {}
for at = 4, #ARGV, 4 do
  local key, ends, cutoff, name = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local old = redis.call('HGET', marks, key)
  if old then
    local old_ends, old_cutoff, old_name = parse(old)
    if not old_ends then return redis.error_reply('DOORWARDRECORD a mark cannot be read') end
    -- One that is over adds nothing, or a mark without a cut-off would come back with the next one that has one.
    if tonumber(old_ends) > now then
      if tonumber(old_ends) > tonumber(ends) then ends = old_ends end
      if cutoff ~= '-' and (old_cutoff == '-' or tonumber(old_cutoff) > tonumber(cutoff)) then cutoff = old_cutoff end
      if name == '' then name = old_name end
    end
  end
  local record = '\1' .. key .. ends .. ' ' .. cutoff .. ' ' .. name
  -- All replicas restore the same, and but for the first there is nothing to do.
  if record ~= old or ARGV[3] == 'make' then wanted[#wanted + 1] = { key, ends, record, record ~= old } end
end
if #wanted == 0 then return { '0-0', told('server', 'run_id'), told('replication', 'master_replid') } end

local id
for _, mark in ipairs(wanted) do
  local key, ends, record, changed = mark[1], mark[2], mark[3], mark[4]
  -- Also where nothing changes: WAIT counts the replicas that have the last write of this connection, and the mark may be another's.
  redis.call('HSET', marks, key, record)
  redis.call('ZADD', expiry, ends, key)
  redis.call('ZADD', index, 0, key)
  id = nil
  if not changed then
    local info = redis.pcall('XINFO', 'STREAM', stream)
    for at = 1, #info, 2 do
      if info[at] == 'last-generated-id' then id = info[at + 1] end
    end
  end
  -- Nothing changed, and the stream is gone: followers must be told anew.
  id = id or redis.call('XADD', stream, 'MAXLEN', '~', ARGV[1], '*', 'm', record)
end

local over = redis.call('ZRANGE', expiry, '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[2])
if #over > 0 then
  redis.call('HDEL', marks, unpack(over))
  redis.call('ZREM', expiry, unpack(over))
  redis.call('ZREM', index, unpack(over))
end

-- A prefix that nobody uses any more empties itself: all end with the bucket's last mark, and a day later the stream. Were there a new one
-- while followers still read behind the last id of this one, and this clock set back meanwhile, they would not see what is put there.
local last = redis.call('ZRANGE', expiry, -1, -1, 'WITHSCORES')[2]
if last then
  for _, name in ipairs({ marks, expiry, index }) do redis.call('PEXPIREAT', name, string.format('%.0f', last)) end
end
redis.call('PEXPIREAT', stream, string.format('%.0f', (last or now) + 86400000))
return { id, told('server', 'run_id'), told('replication', 'master_replid') }
