-- Decisions: a reservation is checked whole, then applied whole.
--
-- `held` is what an open payment gives back: [slot, keep, …], [counter, delta, …],
-- [account, minor, …], and a mark on what is withheld rather than reserved. The limits it is
-- checked against come as arguments: for each counter its ceiling and window end, then for each
-- hold its floor.

local function draft_counter(rows, drafts, name)
  local draft = drafts[name]
  if not draft then
    draft = { high = 0, low = 0 }
    if rows[name] then
      local value
      value, draft.window_end = split(rows[name])
      draft.high, draft.low = read(value)
    end
    drafts[name] = draft
  end
  return draft
end

local function draft_account(rows, drafts, name)
  local draft = drafts[name]
  if not draft then
    draft = {}
    local held
    draft.balance, held = split(rows[name] or '0 0')
    draft.high, draft.low = read(held)
    drafts[name] = draft
  end
  return draft
end

local function check_slots(rows, slots, instant)
  for index = 1, #slots, 2 do
    local row = rows['s' .. slots[index]]
    local kind, owner = standing(row or '', instant)
    -- Not by format: it would end the owner's bytes at a zero.
    if kind then return 's' .. kind .. owner .. (index - 1) / 2 end
  end
end

local function draft_counters(rows, counters, limits, from, horizon, drafts)
  for index = 1, #counters, 2 do
    local draft = draft_counter(rows, drafts, 'c' .. counters[index])
    local window_end = limits[from + index]
    local high, low = read(counters[index + 1])
    if horizon then
      local left_high, left_low = read(limits[from + index - 1])
      left_high, left_low = subtract(left_high, left_low, draft.high, draft.low)
      if tonumber(window_end) <= horizon then left_high, left_low = 0, 0 end
      if is_negative(subtract(left_high, left_low, high, low)) then
        return 'c' .. (index - 1) / 2 .. ' ' .. write(left_high, left_low)
      end
    end
    draft.high, draft.low = add(draft.high, draft.low, high, low)
    if not draft.window_end or tonumber(window_end) > tonumber(draft.window_end) then
      draft.window_end, draft.is_due = window_end, true
    end
  end
end

local function draft_holds(rows, holds, limits, from, horizon, drafts)
  for index = 1, #holds, 2 do
    local draft = draft_account(rows, drafts, 'a' .. holds[index])
    local high, low = read(holds[index + 1])
    if horizon then
      local left_high, left_low = read(draft.balance)
      left_high, left_low = subtract(left_high, left_low, draft.high, draft.low)
      left_high, left_low = subtract(left_high, left_low, read(limits[from + (index - 1) / 2]))
      local fits = not is_negative(subtract(left_high, left_low, high, low))
      if is_negative(high, low) or not fits then
        return 'h' .. (index - 1) / 2 .. ' ' .. write(left_high, left_low)
      end
    end
    draft.high, draft.low = add(draft.high, draft.low, high, low)
  end
end

-- The clock and every row that is named, by their names.
local function rows_of(base, held)
  local names, kinds = { 'clock' }, { 's', 'c', 'a' }
  for list = 1, 3 do
    for index = 1, #held[list], 2 do names[#names + 1] = kinds[list] .. held[list][index] end
  end
  local found, rows = call('HMGET', base .. 'state', unpack(names)), {}
  for index = 1, #names do rows[names[index]] = found[index] end
  return rows
end

local function counter_writes(base, counters, writes)
  for name, row in pairs(counters) do
    writes[#writes + 1] = name
    writes[#writes + 1] = write(row.high, row.low) .. ' ' .. row.window_end
    if row.is_due then call('ZADD', base .. 'due', 'GT', row.window_end, name) end
  end
end

local function slot_writes(slots, rows, payment, instant, writes)
  for index = 1, #slots, 2 do
    local name = 's' .. slots[index]
    writes[#writes + 1] = name
    writes[#writes + 1] = claimed(rows[name], payment, instant)
  end
end

-- Checks what is held against its limits, unless it is checked no more; the rest is applied only
-- where it is to be taken. Gives what refuses it.
local function settle_draft(base, payment, at, held, limits, from, how)
  local rows, counters, accounts = rows_of(base, held), {}, {}
  local clock, instant, horizon = rows.clock, tonumber(at), nil
  if how ~= 'a' then horizon = (clock and tonumber(clock) or -math.huge) - GRACE_MICROS end
  local refused = horizon and check_slots(rows, held[1], instant)
    or draft_counters(rows, held[2], limits, from, horizon, counters)
    or draft_holds(rows, held[3], limits, from + #held[2], horizon, accounts)
  if refused or how == 'c' then return refused end
  local writes = {}
  if not clock or instant > tonumber(clock) then writes = { 'clock', at } end
  slot_writes(held[1], rows, payment, instant, writes)
  counter_writes(base, counters, writes)
  for name, row in pairs(accounts) do
    writes[#writes + 1] = name
    writes[#writes + 1] = row.balance .. ' ' .. write(row.high, row.low)
  end
  if #writes > 0 then call('HSET', base .. 'state', unpack(writes)) end
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

-- gate value, lane, session, payment, key, half of the fingerprint ('' where another group has
-- the key), at, retention, held ('' for nothing), 't' to take or 'c' to check alone, limits …
-- -> 'g' | 'd' payment | 'k' payment | 's' kind owner index | 'c' index left | 'h' index left
local function reserve(keys, args)
  local base, lane, payment, key, fingerprint = keys[1], args[2], args[4], args[5], args[6]
  local at, text, how = args[7], args[9], args[10]
  local gate = call('HMGET', base .. 'gate', 'value', 'session:' .. lane, 'began', 'turn')
  if gate[1] ~= args[1] then return stale(gate[1]) end
  if gate[2] ~= args[3] then return superseded(lane) end
  if fingerprint ~= '' then
    local known = ask_key(base, gate[3], gate[4], key, fingerprint, payment, at, args[8])
    if known then return known end
  end
  local refused
  if text ~= '' then
    refused = settle_draft(base, payment, at, cmsgpack.unpack(text), args, 11, how)
  end
  if how == 'c' then return refused or 'g' end
  if text == '' or refused then
    if refused and fingerprint == '' then return refused end
    advance(base, at)
    call('HSET', base .. 'lane:' .. lane, 'c' .. payment, key)
  else
    call('HSET', base .. 'lane:' .. lane, 'c' .. payment, key, 'o' .. payment, text)
  end
  return refused or 'g'
end

-- gate value, lane -> the number of a session that ends all earlier ones of the lane: a call that
-- its caller has given up, and that arrives late, finds itself superseded
local function greet(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  return call('HINCRBY', keys[1] .. 'gate', 'session:' .. args[2], 1)
end

-- gate value, account -> 'balance held' or nil
local function balance(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  return call('HGET', keys[1] .. 'state', 'a' .. args[2])
end

-- gate value, key -> half of the fingerprint and payment, or nil
local function find_key(keys, args)
  local gate = call('HMGET', keys[1] .. 'gate', 'value', 'turn')
  if gate[1] ~= args[1] then return stale(gate[1]) end
  return find_key_row(keys[1], gate[2], args[2])
end
