-- Which commands the ACL user of this connection may not use; it does none of them.
--
-- ARGV: 1 the prefix of all keys; 2 `cluster`, or anything else.
local key = ARGV[1] .. '{probe}'
local asked = {
  { 'GET', key }, { 'SET', key, '1' }, { 'DEL', key }, { 'PEXPIRE', key, '1' }, { 'PEXPIREAT', key, '1' },
  { 'HGET', key, 'a' }, { 'HGETALL', key }, { 'HMGET', key, 'a' }, { 'HEXISTS', key, 'a' }, { 'HLEN', key }, { 'HSET', key, 'a', '1' }, { 'HSETNX', key, 'a', '1' }, { 'HDEL', key, 'a' },
  { 'ZADD', key, '1', 'a' }, { 'ZREM', key, 'a' }, { 'ZCARD', key }, { 'ZSCORE', key, 'a' }, { 'ZRANGE', key, '0', '1' },
  { 'ZREMRANGEBYSCORE', key, '0', '1' },
  { 'XADD', key, '*', 'a', '1' }, { 'XREAD', 'STREAMS', key, '0' }, { 'XINFO', 'STREAM', key },
  { 'EVAL', 'return 1', '0' }, { 'EVALSHA', 'a', '0' },
  { 'TIME' }, { 'INFO' }, { 'ROLE' }, { 'PING' }, { 'WAIT', '0', '1' },
}
if ARGV[2] == 'cluster' then
  asked[#asked + 1] = { 'CLUSTER', 'SLOTS' }
  asked[#asked + 1] = { 'ASKING' }
end
local refused = {}
for _, command in ipairs(asked) do
  local understood, may = pcall(redis.acl_check_cmd, unpack(command))
  if not (understood and may) then refused[#refused + 1] = command[1] end
end
return refused
