-- Endings: what was reserved is taken or given back. Each is known by the position of its record,
-- so that one told twice changes nothing.

local function forget_withheld(base, lane, payment, held)
  if held[4] then call('HDEL', base .. 'lane:' .. lane, 'c' .. payment) end
end

local function take_open(base, lane, payment)
  local text = call('HGET', base .. 'lane:' .. lane, 'o' .. payment)
  if not text then return nil end
  call('HDEL', base .. 'lane:' .. lane, 'o' .. payment)
  return cmsgpack.unpack(text)
end

-- Balances are moved by what a record posts, and by nothing else: [account, gain, …].
local function move(base, text)
  if text == '' then return end
  local moves = cmsgpack.unpack(text)
  for index = 1, #moves, 2 do shift(base, moves[index], moves[index + 1], 1, 0) end
end

local function post(base, lane, payment, moves)
  local held = take_open(base, lane, payment)
  if not held then return end
  forget_withheld(base, lane, payment, held)
  for index = 1, #held[3], 2 do shift(base, held[3][index], held[3][index + 1], 0, -1) end
  move(base, moves)
  local owner = payment_owner(payment)
  for index = 1, #held[1], 2 do keep(base, held[1][index], owner, held[1][index + 1]) end
end

local function give_up(base, payment, held)
  for index = 1, #held[2], 2 do lower_counter(base, held[2][index], held[2][index + 1]) end
  local owner = payment_owner(payment)
  for index = 1, #held[1], 2 do free(base, held[1][index], owner) end
end

local function release(base, lane, payment)
  local held = take_open(base, lane, payment)
  if not held then return end
  forget_withheld(base, lane, payment, held)
  for index = 1, #held[3], 2 do shift(base, held[3][index], held[3][index + 1], 0, -1) end
  give_up(base, payment, held)
end

-- gate value, lane, session, token, held
local function withhold(keys, args)
  local base, lane, token = keys[1], args[2], args[4]
  local gate = call('HMGET', base .. 'gate', 'value', 'session:' .. lane)
  if gate[1] ~= args[1] then return stale(gate[1]) end
  if gate[2] ~= args[3] then return superseded(lane) end
  -- The position of a record that never was may come again, with another movement.
  release(base, lane, token)
  local holds = cmsgpack.unpack(args[5])[3]
  for index = 1, #holds, 2 do shift(base, holds[index], holds[index + 1], 0, 1) end
  call('HSET', base .. 'lane:' .. lane, 'o' .. token, args[5], 'c' .. token, '')
  return 'g'
end

local function undo(base, payment, text)
  give_up(base, payment, cmsgpack.unpack(text))
end

local function step(base, lane, kind, name, more)
  if kind == 'p' then
    post(base, lane, name, more)
  elseif kind == 'r' then
    release(base, lane, name)
  elseif kind == 'u' then
    undo(base, name, more)
  elseif kind == 'c' then
    move(base, more)
  end
end

-- Many at once, but no more than Lua can pass on.
local function forget_claims(base, lane, payments)
  local names = {}
  for first = 1, #payments, 16 do
    names[#names + 1] = 'c' .. payments:sub(first, first + 15)
    if #names == 1000 or first + 16 > #payments then
      call('HDEL', base .. 'lane:' .. lane, unpack(names))
      names = {}
    end
  end
end

local function mark_of(base, lane)
  return tonumber(call('HGET', base .. 'mark', lane) or '0')
end

-- gate value, lane, through, payments whose first record is durable (16 bytes each), steps
-- [kind, position, payment or '', held or moves, …] in the order of their positions
local function give_back(keys, args)
  local base, lane, begun = keys[1], args[2], args[4]
  local value = call('HGET', base .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  forget_claims(base, lane, begun)
  local mark = mark_of(base, lane)
  if tonumber(args[3]) <= mark then return 0 end
  local steps = cmsgpack.unpack(args[5])
  for index = 1, #steps, 4 do
    if steps[index + 1] > mark then
      step(base, lane, steps[index], steps[index + 2], steps[index + 3])
    end
  end
  call('HSET', base .. 'mark', lane, args[3])
  return 1
end

-- gate value, lane, session, payment, 'k' where this group has the key: gives back what was taken
-- here, since another group refuses; the key stays remembered
local function take_back(keys, args)
  local base, lane, payment = keys[1], args[2], args[4]
  local gate = call('HMGET', base .. 'gate', 'value', 'session:' .. lane)
  if gate[1] ~= args[1] then return stale(gate[1]) end
  if gate[2] ~= args[3] then return superseded(lane) end
  release(base, lane, payment)
  if args[5] ~= 'k' then call('HDEL', base .. 'lane:' .. lane, 'c' .. payment) end
  return 1
end

-- gate value, lane, payment, key, session ('' while nothing is decided): forgets what was granted
-- and has no record. What has one is no claim any more, and stays. One who took a lane over and was
-- held up must not forget what a later writer of the lane was granted.
local function release_claim(keys, args)
  local base, lane, payment, key = keys[1], args[2], args[3], args[4]
  local gate = call('HMGET', base .. 'gate', 'value', 'session:' .. lane)
  if gate[1] ~= args[1] then return stale(gate[1]) end
  if args[5] ~= '' and gate[2] ~= args[5] then return superseded(lane) end
  if call('HDEL', base .. 'lane:' .. lane, 'c' .. payment) == 0 then return 0 end
  release(base, lane, payment)
  for _, turn in ipairs({ '0', '1' }) do
    drop_key(base, turn, key, payment)
  end
  return 1
end

-- gate value, lane -> [payment, key, …] of what was granted and has no record
local function claims(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  local all, found = call('HGETALL', keys[1] .. 'lane:' .. args[2]), {}
  for index = 1, #all, 2 do
    if all[index]:sub(1, 1) == 'c' then
      found[#found + 1] = all[index]:sub(2)
      found[#found + 1] = all[index + 1]
    end
  end
  return found
end

-- Whether a slot has a claim that ends at an instant.
local function has_end(row)
  for first = 1, #row, CLAIM_LEN do
    if row:byte(first) == 117 then return true end
  end
end

-- Drops what has closed by this server's clock too; gives whether anything is left that closes.
local function sweep_one(base, name, horizon)
  local row = call('HGET', base .. 'state', name)
  if not row then return false end
  if name:sub(1, 1) == 's' then
    local rest = without(row, nil, horizon)
    put_slot(base, name, rest)
    return has_end(rest)
  end
  local _, window_end = split(row)
  if tonumber(window_end) > horizon then return true end
  local dropped = call('HGET', base .. 'state', 'dropped')
  if not dropped or tonumber(window_end) > tonumber(dropped) then
    call('HSET', base .. 'state', 'dropped', window_end)
  end
  call('HDEL', base .. 'state', name)
  return false
end

-- gate value, how many: drops what closed long ago, by elapsed time and by this server's clock -> how
-- many were looked at. Changes no decision: what is dropped is known by its time.
local function sweep(keys, args)
  local base, now = keys[1], clock_now()
  local gate = call('HMGET', base .. 'gate', 'value', 'seen', 'elapsed')
  if gate[1] ~= args[1] then return stale(gate[1]) end
  local elapsed = elapsed_at(gate[2], gate[3], now)
  local until_then = format('%.0f', elapsed)
  local due = call('ZRANGEBYSCORE', base .. 'due', '-inf', until_then, 'LIMIT', 0, args[2])
  for _, name in ipairs(due) do
    if sweep_one(base, name, now - GRACE_MICROS) then
      call('ZADD', base .. 'due', format('%.0f', elapsed + GRACE_MICROS), name)
    else
      call('ZREM', base .. 'due', name)
    end
  end
  return #due
end
