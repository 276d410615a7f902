-- Rows of one group: exact numbers, slots, counters, accounts, keys.
--
-- The hash `state` has them all, so that a decision reads once and writes once: slots as
-- 's' key, counters as 'c' key, accounts as 'a' currency ':' name (that is how callers name them),
-- and 'dropped', the latest window end among counters that were dropped. The hash of a
-- lane has what its payments hold as 'o' payment, and what has no record yet as 'c' payment.
-- `gate` has the epoch, the generation of keys, the sessions, the elapsed time, and until when early
-- reversals count; `due` has what is dropped at which elapsed time; `mark` has how far each lane is
-- reflected.
--
-- Numbers travel as decimal text, because a Lua number is a double and the reply of HINCRBY would
-- become one. Inside they are two limbs: value = high * LIMB + low, |low| < LIMB, exact far
-- beyond 64 bits. Instants are microseconds below 2^53, so those are plain numbers.

-- Known only while a function runs: see `register`.
local call, format
local LIMB = 1e15
local LIMB_DIGITS = 15
-- How long after its window a counter is still kept; the same as in the guard in memory.
local GRACE_MICROS = 3600000000
-- The most that one step between two decisions adds to the elapsed time, and how far back a clock
-- is taken to have gone back; both as in the guard in memory.
local STEP_MAX_MICROS, BACK_MICROS = 600000000, 3600000000
-- Steps shorter than this are not written one by one.
local STEP_MIN_MICROS = 1000000
-- 1 of the claim, 17 of the owner, 8 of the instant it is kept until.
local CLAIM_LEN = 26
local NEVER = '\0\0\0\0\0\0\0\0'

local function read(text)
  if #text <= LIMB_DIGITS then return 0, tonumber(text) end
  local negative = text:byte() == 45
  local digits = negative and text:sub(2) or text
  local high = tonumber(digits:sub(1, -LIMB_DIGITS - 1)) or 0
  local low = tonumber(digits:sub(-LIMB_DIGITS))
  if negative then return -high, -low end
  return high, low
end

local function add(a_high, a_low, b_high, b_low)
  local high, low = a_high + b_high, a_low + b_low
  if low >= LIMB then return high + 1, low - LIMB end
  if low <= -LIMB then return high - 1, low + LIMB end
  return high, low
end

local function subtract(a_high, a_low, b_high, b_low)
  return add(a_high, a_low, -b_high, -b_low)
end

-- The same value with both limbs of one sign.
local function level(high, low)
  if high > 0 and low < 0 then return high - 1, low + LIMB end
  if high < 0 and low > 0 then return high + 1, low - LIMB end
  return high, low
end

local function is_negative(high, low)
  high, low = level(high, low)
  return high < 0 or (high == 0 and low < 0)
end

local function write(high, low)
  high, low = level(high, low)
  -- Adding zero makes a minus zero a plain one.
  if high == 0 then return format('%.0f', low + 0) end
  return format('%.0f%015.0f', high, math.abs(low))
end

-- Time. What is forgotten is forgotten by elapsed time, which is counted by this server's clock. One
-- step counts for ten minutes at most, so a clock that jumps makes nothing forgotten. Decisions are made
-- only while this server's clock and the caller's agree.

local function clock_now()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

-- The elapsed time now, of the instant that was seen last and the elapsed time then.
local function elapsed_at(seen, elapsed, now)
  if not seen then return 0 end
  local step = math.min(now - tonumber(seen), STEP_MAX_MICROS)
  return tonumber(elapsed) + math.max(0, step)
end

-- The elapsed time now, kept.
local function pass(base, seen, elapsed, now)
  local passed, step = elapsed_at(seen, elapsed, now), seen and now - tonumber(seen)
  if not step or step >= STEP_MIN_MICROS or step < -BACK_MICROS then
    local seen_now, passed_now = format('%.0f', now), format('%.0f', passed)
    call('HSET', base .. 'gate', 'seen', seen_now, 'elapsed', passed_now)
  end
  return passed
end

-- The elapsed time at which something may be dropped that closes at an instant.
local function drop_at(elapsed, closes, now)
  return format('%.0f', elapsed + math.max(0, tonumber(closes) - now) + GRACE_MICROS)
end

-- Notes that something may be dropped once it has closed.
local function add_due(base, name, closes)
  local gate, now = call('HMGET', base .. 'gate', 'seen', 'elapsed'), clock_now()
  local at = drop_at(elapsed_at(gate[1], gate[2], now), closes, now)
  call('ZADD', base .. 'due', 'GT', at, name)
end

-- An owner of claims: the kind, and 16 bytes of id.
local function payment_owner(payment)
  return 'p' .. payment
end

-- Slots. A row lists claims: more than one only while lanes are replayed one after another, when
-- a claim may be seen before the end of the one it followed.

local function is_over(row, at_byte, instant)
  return row:byte(at_byte) == 117 and struct.unpack('>d', row, at_byte + 18) <= instant
end

-- The first claim that is not over: its kind and owner.
local function standing(row, instant)
  for first = 1, #row, CLAIM_LEN do
    if not is_over(row, first, instant) then
      return row:sub(first, first), row:sub(first + 1, first + 17)
    end
  end
end

-- The row less what is over at the instant, and less what the owner has.
local function without(row, owner, instant)
  local rest = ''
  for first = 1, #row, CLAIM_LEN do
    local mine = owner and row:sub(first + 1, first + 17) == owner
    if not mine and not (instant and is_over(row, first, instant)) then
      rest = rest .. row:sub(first, first + CLAIM_LEN - 1)
    end
  end
  return rest
end

-- The row with an open claim more.
local function claimed(row, owner, instant)
  local others = row and without(row, owner, instant) or ''
  return others .. 'o' .. owner .. NEVER
end

local function put_slot(base, name, row)
  if row == '' then
    call('HDEL', base .. 'state', name)
  else
    call('HSET', base .. 'state', name, row)
  end
end

local function free(base, slot, owner)
  local row = call('HGET', base .. 'state', slot)
  if row then put_slot(base, slot, without(row, owner, nil)) end
end

-- What an approval does to a claim: 'o' frees it, 'a' keeps it, an instant keeps it until then.
local function keep(base, slot, owner, how)
  if how == 'o' then return free(base, slot, owner) end
  local row = call('HGET', base .. 'state', slot)
  if not row then return end
  local others = without(row, owner, nil)
  if #others == #row then return end
  local kept = 'k' .. owner .. NEVER
  if how ~= 'a' then
    kept = 'u' .. owner .. struct.pack('>d', tonumber(how))
    add_due(base, slot, how)
  end
  call('HSET', base .. 'state', slot, others .. kept)
end

-- Counters are 'value window_end', accounts are 'balance held'.

local function split(row)
  local space = row:find(' ', 1, true)
  return row:sub(1, space - 1), row:sub(space + 1)
end

local function lower_counter(base, name, delta)
  local row = call('HGET', base .. 'state', name)
  if not row then return end
  local value, window_end = split(row)
  local high, low = read(value)
  value = write(subtract(high, low, read(delta)))
  -- One at zero says what none says.
  if value == '0' then
    call('HDEL', base .. 'state', name)
    return call('ZREM', base .. 'due', name)
  end
  call('HSET', base .. 'state', name, value .. ' ' .. window_end)
end

-- Adds the amount to the balance and to what is held, each times a sign: 1, 0 or -1.
local function shift(base, name, minor, balance_sign, held_sign)
  local row = call('HGET', base .. 'state', name)
  local balance, held = split(row or '0 0')
  local high, low = read(minor)
  if balance_sign ~= 0 then
    local now_high, now_low = read(balance)
    balance = write(add(now_high, now_low, balance_sign * high, balance_sign * low))
  end
  if held_sign ~= 0 then
    local now_high, now_low = read(held)
    held = write(add(now_high, now_low, held_sign * high, held_sign * low))
  end
  call('HSET', base .. 'state', name, balance .. ' ' .. held)
end

-- Refuses a caller that is not of the epoch this data is of. Data that is gone has no epoch.
local function stale(value)
  return redis.error_reply('STALE the gate value is ' .. (value or 'missing'))
end

-- Refuses a caller whose clock is not this server's, by more than a tolerance.
local function other_time(now, given)
  return redis.error_reply(format('CLOCK this server says %.0f, the node says %s', now, given))
end

local function superseded(lane)
  return redis.error_reply('SUPERSEDED another connection writes for lane ' .. lane)
end
