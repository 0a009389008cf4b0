"""The scripts of a fleet's circuits."""

from __future__ import annotations

from . import rules
from .contract import Script

__all__ = ["EXCHANGE", "LEAVE", "PARTS", "SETTLE"]

PARTS = ("circuit", "leases", "votes", "nodes")

# What all three have in common: read the record, and write it down again with a time to live.
# Numbers go back as text: Redis cuts those of Lua to whole ones.
_COMMON = """
local CIRCUIT, LEASES, VOTES, NODES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local channel, name = ARGV[1], ARGV[2]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local kept = redis.call('HMGET', CIRCUIT, 'era', 'open', 'until', 'opened_at', 'streak',
  'answered', 'fault')
local record = {
  era = tonumber(kept[1] or '0'), open = kept[2] == '1', ends = tonumber(kept[3] or '0'),
  opened_at = tonumber(kept[4] or '0'), streak = tonumber(kept[5] or '0'),
  answered = tonumber(kept[6] or '0'), fault = kept[7] or '',
}
local changed = false

local function texts()
  local left, age = 0, 0
  if record.open then
    left = math.max(0, record.ends - now)
    age = math.max(0, now - record.opened_at)
  end
  return {
    string.format('%.0f', record.era), record.open and '1' or '0', string.format('%.6f', left),
    string.format('%.6f', age), string.format('%.0f', record.streak), record.fault,
  }
end

local function turn()
  record.era = math.max(record.era + 1, math.floor(now * 1000))
  record.answered = 0
  redis.call('DEL', LEASES, VOTES)
  changed = true
end

local function forget(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.6f', now))
end

local function distinct(key)
  local seen, number = {}, 0
  for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local node = string.match(member, '^[^/]*')
    if not seen[node] then
      seen[node] = true
      number = number + 1
    end
  end
  return number
end

local function put(key, member, ends)
  redis.call('ZADD', key, string.format('%.6f', ends), member)
end

local function finish(verdict, wait)
  local news = texts()
  redis.call('HSET', CIRCUIT, 'era', news[1], 'open', news[2],
    'until', string.format('%.6f', record.ends),
    'opened_at', string.format('%.6f', record.opened_at),
    'streak', news[5], 'answered', string.format('%.0f', record.answered),
    'fault', record.fault)
  local keep = 3600 + math.ceil(tonumber(news[3]))
  for _, key in ipairs(KEYS) do
    redis.call('EXPIRE', key, keep)
  end
  if changed then
    redis.call('PUBLISH', channel, cjson.encode({name, unpack(news)}))
  end
  return {verdict, string.format('%.6f', wait), unpack(news)}
end
"""

_EXCHANGE = """
local member, era, is_open, left, age, streak, fault = ARGV[3], tonumber(ARGV[4]),
  tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local vote, vote_streak, vote_fault = tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12]
local count, share, alive, lease = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15]),
  tonumber(ARGV[16])
local token, permits = ARGV[17], tonumber(ARGV[18])

if era > record.era then
  turn()
  record.era, record.open = era, is_open > 0
  record.ends, record.opened_at = now + left, now - age
  record.streak, record.fault = streak, fault
end
put(NODES, member, now + alive)
forget(NODES)
for index = 19, #ARGV do
  if redis.call('ZSCORE', LEASES, ARGV[index]) then
    put(LEASES, ARGV[index], now + lease)
  end
end
redis.call('ZREM', VOTES, member)
forget(VOTES)
local again = record.open and record.ends <= now and era == record.era
if vote > 0 and (again or not record.open) then
  put(VOTES, member, now + vote)
  local needed = count
  if count <= 0 then
    needed = math.max(1, math.ceil(share * distinct(NODES) - 1e-9))
  end
  if distinct(VOTES) >= needed then
    turn()
    record.open = true
    record.ends, record.opened_at = now + vote, now
    record.streak, record.fault = vote_streak, vote_fault
  end
end
if token ~= '' and record.open and record.ends <= now and record.answered >= permits then
  turn()
  record.open, record.streak = false, 0
end
if token == '' then
  return finish('', 0)
end
if not record.open then
  return finish('closed', 0)
end
if record.ends > now then
  return finish('refused', record.ends - now)
end
forget(LEASES)
if not redis.call('ZSCORE', LEASES, token)
    and redis.call('ZCARD', LEASES) + record.answered >= permits then
  local first = redis.call('ZRANGE', LEASES, 0, 0, 'WITHSCORES')
  local soonest = first[2] and tonumber(first[2]) or now + 1
  return finish('refused', math.min(1, soonest - now))
end
put(LEASES, token, now + lease)
return finish('granted', 0)
"""

_SETTLE = """
local token, outcome, open_for, permits = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
if redis.call('ZREM', LEASES, token) == 1 then
  if outcome == 'failed' then
    turn()
    record.ends = now + open_for
    record.streak = record.streak + 1
  elseif outcome == 'succeeded' then
    record.answered = record.answered + 1
    if record.answered >= permits then
      turn()
      record.open, record.streak = false, 0
    end
  end
end
return finish('', 0)
"""

_LEAVE = """
redis.call('ZREM', NODES, ARGV[3])
redis.call('ZREM', VOTES, ARGV[3])
return finish('', 0)
"""

EXCHANGE = Script(PARTS, _COMMON + _EXCHANGE, rules.CircuitRecord, rules.exchange)
SETTLE = Script(PARTS, _COMMON + _SETTLE, rules.CircuitRecord, rules.settle)
LEAVE = Script(PARTS, _COMMON + _LEAVE, rules.CircuitRecord, rules.leave)
