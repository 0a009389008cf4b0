"""The scripts of numbers that a fleet has in common."""

from __future__ import annotations

from . import shares
from .contract import Script

__all__ = ["LEAVE_SHARES", "SHARES", "SHARE_OUT"]

SHARES = "shares"

_CONSTANTS = f"""
local FAIR_PART, CALL_EVERY, REPORTS = {shares.FAIR_PART}, {shares.CALL_EVERY}, {shares.REPORTS}
local HEADROOM, TINY, CRUMB = {shares.HEADROOM}, {shares.TINY}, {shares.CRUMB}
"""

# One hash: for each node what it wants, what it has, and until when it counts; and two moments.
_COMMON = """
local SHARES = KEYS[1]
local channel, name, member = ARGV[1], ARGV[2], ARGV[3]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local nodes, count, settled_at, call_at = {}, 0, 0, 0

local kept = redis.call('HGETALL', SHARES)
for index = 1, #kept, 2 do
  local key, value = kept[index], kept[index + 1]
  if key == '@settled' then
    settled_at = tonumber(value)
  elseif key == '@call' then
    call_at = tonumber(value)
  else
    local wanted, share, ends = string.match(value, '^(%S+) (%S+) (%S+)$')
    if tonumber(ends) <= now then
      redis.call('HDEL', SHARES, key)
    else
      nodes[key] = {wanted = tonumber(wanted), share = tonumber(share)}
      count = count + 1
    end
  end
end

local function call()
  redis.call('PUBLISH', channel, cjson.encode({name, 'report'}))
end
"""

_SHARE_OUT = """
local number, wanted, held, units, alive = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]),
  tonumber(ARGV[7]), tonumber(ARGV[8])
local before = nodes[member]
if not before then
  if held > 0 and count == 0 then
    settled_at = now + alive
  end
  count = count + 1
end

local least = FAIR_PART / count
if units > 0 then
  least = math.max(1, math.floor(least * units)) / units
end

local base, room = least, math.max(0, 1 - least * count)
local free, extras, wants, all = 1, {}, {}, 0
local function want(key, much)
  local extra = math.max(0, HEADROOM * much - base)
  extras[key] = extra
  wants[#wants + 1] = extra
  all = all + extra
end
want(member, wanted)
for key, each in pairs(nodes) do
  if key ~= member then
    free = free - math.max(each.share, least)
    want(key, each.wanted)
  end
end

table.sort(wants)
local highest, bonus, left = math.huge, (room - all) / count, room
for index, each in ipairs(wants) do
  local waiting = count - index + 1
  if each * waiting > left then
    highest, bonus = left / waiting, 0
    break
  end
  left = left - each
end
local function right(key)
  return base + math.min(extras[key], highest) + bonus
end

local target = right(member)
if units > 0 then
  local over, broken = units, {}
  for key in pairs(extras) do
    local whole = math.floor(right(key) * units + CRUMB)
    over = over - whole
    if right(key) * units > whole + CRUMB then
      broken[#broken + 1] = key
    end
  end
  table.sort(broken)
  local mine = math.floor(target * units + CRUMB)
  for index = 1, math.floor(over + 0.5) do
    if broken[index] == member then
      mine = mine + 1
    end
  end
  target = mine / units
end

local share = math.min(target, free)
if held > 0 and (not before or now < settled_at) then
  share = math.min(share, held)
end
if units > 0 then
  share = math.floor(share * units + CRUMB) / units
end
local has = before and before.share or held
if has > 0 then
  share = math.max(share, math.min(has, least, target))
else
  share = math.max(share, least)
end

local wished = math.max(target, math.min(1, HEADROOM * wanted))
local short = share + TINY < wished and now >= call_at
if short then
  call_at = now + math.max(CALL_EVERY, count / REPORTS)
end
redis.call('HSET', SHARES, member, string.format('%.17g %.17g %.6f', wanted, share, now + alive),
  '@settled', string.format('%.6f', settled_at), '@call', string.format('%.6f', call_at))
redis.call('EXPIRE', SHARES, 3600 + math.ceil(alive))
if short or not before then
  call()
end
return {number, string.format('%.9f', share), string.format('%.0f', count)}
"""

_LEAVE = """
if redis.call('HDEL', SHARES, member) == 1 then
  call()
end
return {}
"""

SHARE_OUT = Script(
    (SHARES,), _CONSTANTS + _COMMON + _SHARE_OUT, shares.SharesRecord, shares.share_out
)
LEAVE_SHARES = Script((SHARES,), _COMMON + _LEAVE, shares.SharesRecord, shares.leave_shares)
