-- Decisions: a reservation is checked whole, then applied whole.
--
-- `held` is what an open payment gives back: [slot, keep, …], [counter, delta, …],
-- [account, minor, …], and a mark on what is withheld rather than reserved. `limits` is what it is
-- checked against: for each counter its ceiling and window end, then for each hold its floor.

local function draft_counter(base, drafts, key)
  local draft = drafts[key]
  if not draft then
    local value, window_end = read_counter(base, key)
    draft = { window_end = window_end, high = 0, low = 0 }
    if value then draft.high, draft.low = read(value) end
    drafts[key] = draft
  end
  return draft
end

local function draft_account(base, drafts, name)
  local draft = drafts[name]
  if not draft then
    local balance, held = read_account(base, name)
    draft = { balance = balance }
    draft.high, draft.low = read(held)
    drafts[name] = draft
  end
  return draft
end

local function draft_slots(base, slots, at)
  for index = 1, #slots, 2 do
    local kind, owner = standing(base, slots[index], at)
    -- Not by format: it would end the owner's bytes at a zero.
    if kind then return 's' .. kind .. owner .. (index - 1) / 2 end
  end
end

local function draft_counters(base, counters, limits, horizon, drafts)
  for index = 1, #counters, 2 do
    local draft, window_end = draft_counter(base, drafts, counters[index]), limits[index + 1]
    local high, low = read(counters[index + 1])
    if horizon then
      local left_high, left_low = read(limits[index])
      left_high, left_low = subtract(left_high, left_low, draft.high, draft.low)
      if tonumber(window_end) <= horizon then left_high, left_low = 0, 0 end
      if is_negative(subtract(left_high, left_low, high, low)) then
        return format('c%d %s', (index - 1) / 2, write(left_high, left_low))
      end
    end
    draft.high, draft.low = add(draft.high, draft.low, high, low)
    if not draft.window_end or tonumber(window_end) > tonumber(draft.window_end) then
      draft.window_end, draft.is_due = window_end, true
    end
  end
end

local function draft_holds(base, holds, limits, skip, horizon, drafts)
  for index = 1, #holds, 2 do
    local draft = draft_account(base, drafts, holds[index])
    local high, low = read(holds[index + 1])
    if horizon then
      local left_high, left_low = read(draft.balance)
      left_high, left_low = subtract(left_high, left_low, draft.high, draft.low)
      left_high, left_low = subtract(left_high, left_low, read(limits[skip + (index + 1) / 2]))
      local fits = not is_negative(subtract(left_high, left_low, high, low))
      if is_negative(high, low) or not fits then
        return format('h%d %s', (index - 1) / 2, write(left_high, left_low))
      end
    end
    draft.high, draft.low = add(draft.high, draft.low, high, low)
  end
end

-- What the rows would become; or what refuses it, unless there is no horizon to check against.
local function draft(base, held, limits, at, horizon)
  local counters, accounts = {}, {}
  local refused = horizon and draft_slots(base, held[1], at)
    or draft_counters(base, held[2], limits, horizon, counters)
    or draft_holds(base, held[3], limits, #held[2], horizon, accounts)
  return refused, counters, accounts
end

local function apply(base, lane, payment, at, text, held, counters, accounts)
  for index = 1, #held[1], 2 do claim(base, held[1][index], payment, at) end
  for key, row in pairs(counters) do
    call('HSET', base .. 'counter', key, write(row.high, row.low) .. ' ' .. row.window_end)
    if row.is_due then call('ZADD', base .. 'due', 'GT', row.window_end, 'c' .. key) end
  end
  for name, row in pairs(accounts) do
    call('HSET', base .. 'account', name, row.balance .. ' ' .. write(row.high, row.low))
  end
  call('HSET', base .. 'open:' .. lane, payment, text)
end

-- Remembers the key; or who used it before, and whether for the same thing.
local function ask_key(base, began, turn, key, fingerprint, payment, at, retention)
  turn = turn or '0'
  local found = call('HGET', key_row(base, other(turn), key), key)
  -- Looked up before a turn, for what it forgets is known until then.
  if found or is_turning(began, at, retention) then
    found = call('HGET', key_row(base, turn, key), key) or found
  end
  if not found then
    local name = key_row(base, turn_for(base, began, turn, at, retention), key)
    if call('HSETNX', name, key, fingerprint .. payment) == 1 then return nil end
    found = call('HGET', name, key)
  end
  return (found:sub(1, 8) == fingerprint and 'd' or 'k') .. found:sub(9)
end

local function superseded(lane)
  return redis.error_reply('SUPERSEDED another connection writes for lane ' .. lane)
end

-- gate value, lane, session, payment, key, half of the fingerprint ('' where another group has
-- the key), at, retention, held ('' for nothing), limits, 't' to take or 'c' to check alone
-- -> 'g' | 'd' payment | 'k' payment | 's' kind owner index | 'c' index left | 'h' index left
local function reserve(keys, args)
  local base, lane, payment, key, fingerprint = keys[1], args[2], args[4], args[5], args[6]
  local at, text = args[7], args[9]
  local gate = call('HMGET', base .. 'gate', 'value', 'clock', 'began', 'turn', 's' .. lane)
  if gate[1] ~= args[1] then return stale(gate[1]) end
  if gate[5] ~= args[3] then return superseded(lane) end
  if fingerprint ~= '' then
    local known = ask_key(base, gate[3], gate[4], key, fingerprint, payment, at, args[8])
    if known then return known end
  end
  local refused, held, counters, accounts
  if text ~= '' then
    held = cmsgpack.unpack(text)
    local horizon = (gate[2] and tonumber(gate[2]) or -math.huge) - GRACE_MICROS
    local instant = tonumber(at)
    refused, counters, accounts = draft(base, held, cmsgpack.unpack(args[10]), instant, horizon)
    if not refused and args[11] == 't' then
      apply(base, lane, payment, instant, text, held, counters, accounts)
    end
  end
  if args[11] == 't' and (not refused or fingerprint ~= '') then
    call('HSET', base .. 'claim:' .. lane, payment, key)
    advance(base, gate[2], at)
  end
  return refused or 'g'
end

-- gate value, lane -> the number of a session that ends all earlier ones of the lane: a call that
-- its caller has given up, and that arrives late, finds itself superseded
local function greet(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  return call('HINCRBY', keys[1] .. 'gate', 's' .. args[2], 1)
end

-- gate value, account -> 'balance held' or nil
local function balance(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  return call('HGET', keys[1] .. 'account', args[2])
end

-- gate value, key -> half of the fingerprint and payment, or nil
local function find_key(keys, args)
  local gate = call('HMGET', keys[1] .. 'gate', 'value', 'turn')
  if gate[1] ~= args[1] then return stale(gate[1]) end
  return find_key_row(keys[1], gate[2], args[2])
end
