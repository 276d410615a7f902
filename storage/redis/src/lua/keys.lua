-- Keys: two generations that take turns by elapsed time, so that forgetting is one UNLINK.
-- Several hashes each, so that none takes long to grow, and few, so that each soon is a table
-- rather than a list that is searched.
--
-- A row has the keys of one name, the upper half of a key: of each the lower half, half of the
-- fingerprint, the payment. Nearly always there is one. Keys beyond a ceiling have rows of their
-- own and are found by the whole key alone.
--
-- Of half a fingerprint the first four bytes are the amount's, and the upper bit of the fifth says
-- that the request called itself a repeat, which does not count when two are compared.

local KEY_SHARDS = 16
local ENTRY_LEN = 32
local OF_NAME_MAX = 16

local function key_row(base, turn, key)
  return base .. 'key' .. turn .. ':' .. key:byte() % KEY_SHARDS
end

local function generation(base, turn)
  local names = {}
  for shard = 0, KEY_SHARDS - 1 do names[shard + 1] = base .. 'key' .. turn .. ':' .. shard end
  return names
end

local function other(turn)
  return turn == '0' and '1' or '0'
end

local function is_turning(began, elapsed, retention)
  return began and elapsed >= tonumber(began) + tonumber(retention)
end

-- The generation that a key of this elapsed time belongs to, after the older one was forgotten where
-- its time has come.
local function turn_for(base, began, turn, elapsed, retention)
  turn = turn or '0'
  if not began then
    call('HSET', base .. 'gate', 'began', format('%.0f', elapsed), 'turn', turn)
  elseif is_turning(began, elapsed, retention) then
    turn = other(turn)
    call('UNLINK', unpack(generation(base, turn)))
    call('HSET', base .. 'gate', 'began', format('%.0f', elapsed), 'turn', turn)
  end
  return turn
end

-- Where in a row the key with this lower half stands.
local function entry_at(row, rest)
  for first = 1, #row, ENTRY_LEN do
    if row:sub(first, first + 7) == rest then return first end
  end
end

-- The keys of a key's name in one generation; also itself, where it stands beyond them.
local function keys_of_name(base, turn, key)
  local hash = key_row(base, turn, key)
  local row = call('HGET', hash, key:sub(1, 8))
  if not row then return '' end
  return row .. (call('HGET', hash, key) or '')
end

-- Remembers a key; the same one is replaced.
local function put_key(base, turn, key, fingerprint, payment)
  local hash, name, rest = key_row(base, turn, key), key:sub(1, 8), key:sub(9)
  local row, entry = call('HGET', hash, name) or '', rest .. fingerprint .. payment
  local at = entry_at(row, rest)
  if at then
    call('HSET', hash, name, row:sub(1, at - 1) .. entry .. row:sub(at + ENTRY_LEN))
  elseif #row < OF_NAME_MAX * ENTRY_LEN then
    call('HSET', hash, name, row .. entry)
  else
    call('HSET', hash, key, entry)
  end
end

-- Forgets a key, where it is the payment's.
local function drop_key(base, turn, key, payment)
  local hash, name = key_row(base, turn, key), key:sub(1, 8)
  local row, beyond = call('HGET', hash, name) or '', call('HGET', hash, key)
  local at = entry_at(row, key:sub(9))
  -- The row stays, for keys beyond it are looked for where there is one.
  if at and row:sub(at + 16, at + 31) == payment then
    call('HSET', hash, name, row:sub(1, at - 1) .. row:sub(at + ENTRY_LEN))
  end
  if beyond and beyond:sub(17) == payment then call('HDEL', hash, key) end
end

local function is_repeat(fingerprint)
  return fingerprint:byte(5) >= 128
end

local function is_same(one, another)
  return one:sub(1, 4) == another:sub(1, 4)
    and one:byte(5) % 128 == another:byte(5) % 128
    and one:sub(6) == another:sub(6)
end

-- The milliseconds a payment's id was made at.
local function made_at(payment)
  local value = 0
  for _, byte in ipairs({ payment:byte(1, 6) }) do value = value * 256 + byte end
  return value
end

-- What of these keys, made at an instant or later, the request repeats or is repeated by, though
-- its own key is not among them.
local function repeated(row, fingerprint, since)
  local calls_itself_repeat, found, count, likely = is_repeat(fingerprint), nil, 0, nil
  for first = 1, #row, ENTRY_LEN do
    local half, payment = row:sub(first + 8, first + 15), row:sub(first + 16, first + 31)
    if made_at(payment) >= since and (calls_itself_repeat or is_repeat(half)) then
      if calls_itself_repeat and half:sub(1, 4) == fingerprint:sub(1, 4) then likely = payment end
      if is_same(half, fingerprint) and (calls_itself_repeat or not found) then
        found, count = payment, count + 1
      end
    end
  end
  if count == 1 then return 'd' .. found end
  -- Another request, or one of several: not a new one in any case.
  return likely and 'k' .. likely
end

-- The payment that asked before, and whether for the same thing. `since` is in milliseconds;
-- where it is empty, the key alone counts.
local function known_of(row, key, fingerprint, since)
  local at = entry_at(row, key:sub(9))
  if at then
    local same = is_same(row:sub(at + 8, at + 15), fingerprint)
    return (same and 'd' or 'k') .. row:sub(at + 16, at + 31)
  end
  return since ~= '' and row ~= '' and repeated(row, fingerprint, tonumber(since)) or nil
end

-- Remembers the key; or who asked before, and whether for the same thing.
local function ask_key(base, began, turn, key, fingerprint, payment, elapsed, retention, since)
  turn = turn or '0'
  local old, is_looked_up = keys_of_name(base, other(turn), key), false
  -- StampReading up before a turn, for what it forgets is known until then.
  if old ~= '' or is_turning(began, elapsed, retention) then
    local known = known_of(keys_of_name(base, turn, key) .. old, key, fingerprint, since)
    if known then return known end
    is_looked_up = true
  end
  turn = turn_for(base, began, turn, elapsed, retention)
  local entry = key:sub(9) .. fingerprint .. payment
  if not is_looked_up then
    if call('HSETNX', key_row(base, turn, key), key:sub(1, 8), entry) == 1 then return nil end
    local known = known_of(keys_of_name(base, turn, key), key, fingerprint, since)
    if known then return known end
  end
  put_key(base, turn, key, fingerprint, payment)
end

local function find_known(base, turn, key, fingerprint, since)
  turn = turn or '0'
  local rows = keys_of_name(base, turn, key) .. keys_of_name(base, other(turn), key)
  return known_of(rows, key, fingerprint, since)
end
