-- Decisions: a reservation is checked whole, then applied whole.
--
-- `held` is what an open payment gives back: [slot, keep, …], [counter, delta, …],
-- [account, minor, …], and a mark on what is withheld rather than reserved. It is stored as it
-- comes. What is wanted comes as arguments besides, in one flat list that needs no unpacking: how
-- many slots, counters and holds; the names of all, in this order; then for each counter delta,
-- ceiling and window end, and for each hold amount and floor.

-- The row of the index, or what an earlier one of the same name has made of it.
local function row_at(names, first, index, rows)
  for before = index - 1, 1, -1 do
    if names[first + before] == names[first + index] then return rows[before + 1] end
  end
  return rows[index + 1]
end

local function check_slots(rows, count, instant)
  for index = 1, count do
    local row = rows[index + 1]
    if row then
      local kind, owner = standing(row, instant)
      -- Not by format: it would end the owner's bytes at a zero.
      if kind then return 's' .. kind .. owner .. (index - 1) end
    end
  end
end

-- Counts a counter's delta in; or gives what is left, where there is a horizon and it is too much.
local function count(row, delta, ceiling, window_end, horizon)
  local value, closes = '0', nil
  if row then value, closes = split(row) end
  local high, low = read(value)
  local by_high, by_low = read(delta)
  if horizon then
    local left_high, left_low = read(ceiling)
    left_high, left_low = subtract(left_high, left_low, high, low)
    if tonumber(window_end) <= horizon then left_high, left_low = 0, 0 end
    if is_negative(subtract(left_high, left_low, by_high, by_low)) then
      return nil, write(left_high, left_low)
    end
  end
  if not closes or tonumber(window_end) > tonumber(closes) then
    closes = window_end
    return write(add(high, low, by_high, by_low)) .. ' ' .. closes, nil, closes
  end
  return write(add(high, low, by_high, by_low)) .. ' ' .. closes
end

-- Holds an amount of an account; or gives what is left, where that is too little.
local function hold(row, minor, floor, is_checked)
  local balance, held = '0', '0'
  if row then balance, held = split(row) end
  local high, low = read(held)
  local by_high, by_low = read(minor)
  if is_checked then
    local left_high, left_low = read(balance)
    left_high, left_low = subtract(left_high, left_low, high, low)
    left_high, left_low = subtract(left_high, left_low, read(floor))
    local fits = not is_negative(subtract(left_high, left_low, by_high, by_low))
    if is_negative(by_high, by_low) or not fits then
      return nil, write(left_high, left_low)
    end
  end
  return balance .. ' ' .. write(add(high, low, by_high, by_low))
end

-- Makes of the rows what they would become; gives what refuses that, and what closes when.
local function draft(wants, from, rows, instant, horizon)
  local slots, counters = tonumber(wants[from]), tonumber(wants[from + 1])
  local holds = tonumber(wants[from + 2])
  local refused = horizon and check_slots(rows, slots, instant)
  if refused then return refused end
  local first, value, due = from + 2, from + 3 + slots + counters + holds, nil
  for index = slots + 1, slots + counters do
    local row, left, closes = count(
      row_at(wants, first, index, rows), wants[value], wants[value + 1], wants[value + 2], horizon
    )
    if not row then return 'c' .. (index - slots - 1) .. ' ' .. left end
    if closes then
      due = due or {}
      due[#due + 1] = closes
      due[#due + 1] = wants[first + index]
    end
    rows[index + 1] = row
    value = value + 3
  end
  for index = slots + counters + 1, slots + counters + holds do
    local row, left = hold(row_at(wants, first, index, rows), wants[value], wants[value + 1], horizon)
    if not row then return 'h' .. (index - slots - counters - 1) .. ' ' .. left end
    rows[index + 1] = row
    value = value + 2
  end
  return nil, due
end

-- Decides what is wanted and applies it, where `how` is 't'; where 'c', decides alone; where
-- nothing, it was decided before and is applied. A counter of a window that may have been forgotten
-- takes nothing more. Gives what refuses it.
local function decide(base, payment, at, wants, from, how)
  local state, first, instant = base .. 'state', from + 2, tonumber(at)
  local slots = tonumber(wants[from])
  local names = slots + wants[from + 1] + wants[from + 2]
  local rows = call('HMGET', state, 'dropped', unpack(wants, first + 1, first + names))
  local horizon = how and (rows[1] and tonumber(rows[1]) or -math.huge)
  local refused, due = draft(wants, from, rows, instant, horizon)
  if refused or how == 'c' then return refused end
  if names == 0 then return end
  local writes = {}
  for index = 1, names do
    local row = rows[index + 1]
    if index <= slots then row = claimed(row, payment_owner(payment), instant) end
    writes[2 * index - 1], writes[2 * index] = wants[first + index], row
  end
  call('HSET', state, unpack(writes))
  for index = 1, due and #due or 0, 2 do add_due(base, due[index + 1], due[index]) end
end

-- gate value, lane, session, payment, key, half of the fingerprint ('' where another group has
-- the key), at, retention, the node's clock, how much this server's may differ from it, held ('' for
-- nothing), 't' to take or 'c' to check alone, the milliseconds from which on payments may be what a
-- repeat repeats ('' where the key alone counts), what an early reversal may name it by ('' for
-- nothing), wants …
-- -> 'g' | 'd' payment | 'k' payment | 'e' | 's' kind owner index | 'c' index left | 'h' index left
local function reserve(keys, args)
  local base, lane, payment, key, fingerprint = keys[1], args[2], args[4], args[5], args[6]
  local at, text, how, now = args[7], args[11], args[12], clock_now()
  local gate = call(
    'HMGET', base .. 'gate', 'value', 'session:' .. lane, 'began', 'turn', 'seen', 'elapsed',
    'early'
  )
  if gate[1] ~= args[1] then return stale(gate[1]) end
  if gate[2] ~= args[3] then return superseded(lane) end
  if math.abs(now - args[9]) > tonumber(args[10]) then return other_time(now, args[9]) end
  local elapsed = pass(base, gate[5], gate[6], now)
  if fingerprint ~= '' then
    local known = ask_key(
      base, gate[3], gate[4], key, fingerprint, payment, elapsed, args[8], args[13]
    )
    if known then return known end
  end
  local refused
  -- Nearly always none is there, or all are over.
  if args[14] ~= '' and gate[7] and tonumber(at) < tonumber(gate[7]) then
    refused = is_reversed(base, args[14], tonumber(at)) and 'e' or nil
  end
  if text ~= '' and not refused then
    refused = decide(base, payment, at, args, 15, how)
  end
  if how == 'c' then return refused or 'g' end
  if text == '' or refused then
    if refused and fingerprint == '' then return refused end
    call('HSET', base .. 'lane:' .. lane, 'c' .. payment, key)
  else
    call('HSET', base .. 'lane:' .. lane, 'c' .. payment, key, 'o' .. payment, text)
  end
  return refused or 'g'
end

-- gate value, lane, epoch of the lane at which its writer took it: refused to a writer from whom it
-- was taken since -> the number of a session that ends all earlier ones of the lane: a call that
-- its caller has given up, and that arrives late, finds itself superseded
local function greet(keys, args)
  local gate = call('HMGET', keys[1] .. 'gate', 'value', 'taken:' .. args[2])
  if gate[1] ~= args[1] then return stale(gate[1]) end
  local taken = tonumber(gate[2] or '0')
  if tonumber(args[3]) < taken then return superseded(args[2]) end
  if tonumber(args[3]) > taken then call('HSET', keys[1] .. 'gate', 'taken:' .. args[2], args[3]) end
  return call('HINCRBY', keys[1] .. 'gate', 'session:' .. args[2], 1)
end

-- gate value, account -> 'balance held' or nil
local function balance(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  return call('HGET', keys[1] .. 'state', args[2])
end

-- gate value, key, half of the fingerprint, the milliseconds as in `reserve`
-- -> 'd' payment | 'k' payment | nil
local function find_key(keys, args)
  local gate = call('HMGET', keys[1] .. 'gate', 'value', 'turn')
  if gate[1] ~= args[1] then return stale(gate[1]) end
  return find_known(keys[1], gate[2], args[2], args[3], args[4])
end
