-- Rebuilding: the records that this group does not reflect yet are replayed, or everything is
-- loaded into nothing. Nothing is decided meanwhile.

-- number of the epoch -> whether the data of an earlier epoch are whole
local function begin(keys, args)
  local gate = call('HMGET', keys[1] .. 'gate', 'value', 'whole')
  local value = gate[1]
  if value then
    local epoch = tonumber(value:sub(2))
    local given = tonumber(args[1])
    if epoch > given or (epoch == given and value:sub(1, 1) == 'o') then
      return redis.error_reply('OLDER the gate value is ' .. value)
    end
  end
  call('HSET', keys[1] .. 'gate', 'value', 'r' .. args[1])
  return gate[2] and 1 or 0
end

-- gate value -> [lane, position, …]
local function marks(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  return call('HGETALL', keys[1] .. 'mark')
end

-- Whether the data are being rebuilt by this caller; nothing that is open is cleared or loaded.
local function is_rebuilt(value, given)
  return value == given and value:sub(1, 1) == 'r'
end

-- gate value: removes everything but the gate value and the lanes' sessions
local function clear(keys, args)
  local base = keys[1]
  local value = call('HGET', base .. 'gate', 'value')
  if not is_rebuilt(value, args[1]) then return stale(value) end
  local lanes = call('HKEYS', base .. 'mark')
  for _, field in ipairs(call('HKEYS', base .. 'gate')) do
    local lane = field:match('^session:(%d+)$')
    if lane then lanes[#lanes + 1] = lane end
  end
  for _, lane in ipairs(lanes) do call('UNLINK', base .. 'lane:' .. lane) end
  call('UNLINK', base .. 'state', base .. 'due', base .. 'mark', base .. 'early')
  call('UNLINK', unpack(generation(base, '0')))
  call('UNLINK', unpack(generation(base, '1')))
  call('HDEL', base .. 'gate', 'began', 'turn', 'seen', 'elapsed', 'whole', 'early')
  return 1
end

-- gate value, lane, position, payment, key, half of the fingerprint ('' where another group has
-- the key), at, retention, held ('' for nothing), wants …: takes back what a record says was
-- granted; it is not checked again
local function regrant(keys, args)
  local base, lane, payment, key, text = keys[1], args[2], args[4], args[5], args[9]
  local gate = call('HMGET', base .. 'gate', 'value', 'began', 'turn', 'seen', 'elapsed')
  if gate[1] ~= args[1] then return stale(gate[1]) end
  call('HDEL', base .. 'lane:' .. lane, 'c' .. payment)
  if tonumber(args[3]) <= mark_of(base, lane) then return 0 end
  if args[6] ~= '' then
    local elapsed = elapsed_at(gate[4], gate[5], clock_now())
    local turn = turn_for(base, gate[2], gate[3], elapsed, args[8])
    put_key(base, turn, key, args[6], payment)
  end
  if text ~= '' and call('HSETNX', base .. 'lane:' .. lane, 'o' .. payment, text) == 1 then
    decide(base, payment, args[7], args, 10, nil)
  end
  call('HSET', base .. 'mark', lane, args[3])
  return 1
end

-- gate value, lane, position: with this, everything up to it is reflected
local function set_mark(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  if tonumber(args[3]) > mark_of(keys[1], args[2])
    or call('HEXISTS', keys[1] .. 'mark', args[2]) == 0 then
    call('HSET', keys[1] .. 'mark', args[2], args[3])
  end
  return 1
end

local load_row = {}

-- the latest end of a window whose counters may have been forgotten
function load_row.dropped(base, row)
  call('HSET', base .. 'state', 'dropped', row[1])
end

-- name, balance, held
function load_row.account(base, row)
  call('HSET', base .. 'state', row[1], row[2] .. ' ' .. row[3])
end

-- name, value, window end
function load_row.counter(base, row)
  call('HSET', base .. 'state', row[1], row[2] .. ' ' .. row[3])
  add_due(base, row[1], row[3])
end

-- name, owner, 'o' while open, 'a' kept, or an instant it is kept until
function load_row.slot(base, row)
  local known = call('HGET', base .. 'state', row[1])
  call('HSET', base .. 'state', row[1], claimed(known, row[2], nil))
  if row[3] ~= 'o' then keep(base, row[1], row[2], row[3]) end
end

-- payment, lane, held
function load_row.open(base, row)
  call('HSET', base .. 'lane:' .. row[2], 'o' .. row[1], row[3])
end

-- key, half of the fingerprint, payment
function load_row.key(base, row)
  put_key(base, '0', row[1], row[2], row[3])
end

-- by what it is looked up, until, DE7, terminal, amount
function load_row.early(base, row)
  put_early(base, row[1], row[2], row[3], row[4], row[5])
end

-- gate value, rows [[kind, …], …]
local function load(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if not is_rebuilt(value, args[1]) then return stale(value) end
  for _, row in ipairs(cmsgpack.unpack(args[2])) do
    load_row[table.remove(row, 1)](keys[1], row)
  end
  return 1
end

-- gate value, number of the epoch: from now on it decides
local function publish(keys, args)
  local value = call('HGET', keys[1] .. 'gate', 'value')
  if value ~= args[1] then return stale(value) end
  call('HSET', keys[1] .. 'gate', 'value', 'o' .. args[2], 'whole', '1')
  return 1
end

-- Only what gives something back may still write when memory is full.
local function register(name, body, flags)
  local function callback(keys, args)
    call, format = redis.call, string.format
    return body(keys, args)
  end
  redis.register_function({
    function_name = 'cauce_VERSION_' .. name, callback = callback, flags = flags
  })
end

register('reserve', reserve, {})
register('withhold', withhold, {})
register('forestall', forestall, {})
register('greet', greet, { 'allow-oom' })
register('balance', balance, { 'no-writes' })
register('find_key', find_key, { 'no-writes' })
register('give_back', give_back, { 'allow-oom' })
register('take_back', take_back, { 'allow-oom' })
register('release_claim', release_claim, { 'allow-oom' })
register('claims', claims, { 'no-writes' })
register('sweep', sweep, { 'allow-oom' })
register('begin', begin, { 'allow-oom' })
register('marks', marks, { 'no-writes' })
register('clear', clear, { 'allow-oom' })
register('regrant', regrant, {})
register('set_mark', set_mark, { 'allow-oom' })
register('load', load, {})
register('publish', publish, { 'allow-oom' })
