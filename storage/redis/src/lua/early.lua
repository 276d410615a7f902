-- Reversals that came before their originals. Each group has them all, for an original is decided
-- where its key is, and a reversal may not name the whole key.
--
-- The hash `early` has, by what a reversal is looked up by, a list of [until, DE7, terminal,
-- amount, the elapsed time at which it is dropped, …], empty where it did not say; `gate` has the
-- latest instant any of them ends at.

local EARLY_LEN = 5
local OF_HANDLE_MAX = 64
-- Every so many rows are looked through for what is over.
local EARLY_SWEEP = 256

local function agree(one, another)
  return one == '' or another == '' or one == another
end

-- The list less what is dropped by now, and less what says the same.
local function early_without(list, elapsed, de7, terminal, amount)
  local rest = {}
  for first = 1, #list, EARLY_LEN do
    local is_same = list[first + 1] == de7 and list[first + 2] == terminal
      and list[first + 3] == amount
    if not is_same and tonumber(list[first + 4]) > elapsed then
      for index = first, first + EARLY_LEN - 1 do rest[#rest + 1] = list[index] end
    end
  end
  return rest
end

local function sweep_early(base, elapsed)
  local all = call('HGETALL', base .. 'early')
  for index = 1, #all, 2 do
    if #early_without(cmsgpack.unpack(all[index + 1]), elapsed) == 0 then
      call('HDEL', base .. 'early', all[index])
    end
  end
end

local function put_early(base, handle, closes, de7, terminal, amount)
  local gate, now = call('HMGET', base .. 'gate', 'seen', 'elapsed', 'early'), clock_now()
  local elapsed = elapsed_at(gate[1], gate[2], now)
  local row = call('HGET', base .. 'early', handle)
  local list = early_without(row and cmsgpack.unpack(row) or {}, elapsed, de7, terminal, amount)
  while #list >= EARLY_LEN * OF_HANDLE_MAX do
    for _ = 1, EARLY_LEN do table.remove(list, 1) end
  end
  local values = { closes, de7, terminal, amount, drop_at(elapsed, closes, now) }
  for _, value in ipairs(values) do list[#list + 1] = value end
  call('HSET', base .. 'early', handle, cmsgpack.pack(list))
  if not gate[3] or tonumber(closes) > tonumber(gate[3]) then
    call('HSET', base .. 'gate', 'early', closes)
  end
  if call('HLEN', base .. 'early') % EARLY_SWEEP == 0 then sweep_early(base, elapsed) end
end

-- Whether a reversal came before this request: [by STAN, by RRN, DE7, terminal, amount].
local function is_reversed(base, packed, instant)
  local name = cmsgpack.unpack(packed)
  for index = 1, 2 do
    local row = name[index] ~= '' and call('HGET', base .. 'early', name[index])
    local list = row and cmsgpack.unpack(row) or {}
    for first = 1, #list, EARLY_LEN do
      if instant < tonumber(list[first]) and agree(list[first + 1], name[3])
        and agree(list[first + 2], name[4]) and agree(list[first + 3], name[5]) then
        return true
      end
    end
  end
  return false
end

-- gate value, lane, session ('' while records are replayed), by what it is looked up, until, DE7,
-- terminal, amount
local function forestall(keys, args)
  local base, lane = keys[1], args[2]
  local gate = call('HMGET', base .. 'gate', 'value', 'session:' .. lane)
  if gate[1] ~= args[1] then return stale(gate[1]) end
  if args[3] ~= '' and gate[2] ~= args[3] then return superseded(lane) end
  put_early(base, args[4], args[5], args[6], args[7], args[8])
  return 'g'
end
