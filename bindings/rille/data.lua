--- rille.data: data sets, and batches of them.

local rille = require "rille"
local check = require "rille.check"

local data = {}

-- "build/share/lua/5.4/rille" -> "build/share/lua/5.4", by the text alone: ".." would follow symbolic links.
local function parent(folder)
    local upper, last = folder:match("^(.*)/([^/]+)$")
    if upper == "" then
        return "/"
    elseif upper and last ~= ".." and last ~= "." then
        return upper
    elseif not upper and folder ~= ".." and folder ~= "." then
        return "."
    end
    return folder == "." and ".." or folder .. "/.."
end

-- Where the data files may be: RILLE_DATA alone where it is set; else beside the installed module
-- (share/lua/5.4/rille/data.lua -> share/rille/data), else in the source tree (bindings/rille -> scripts/data).
local function folders()
    local given = os.getenv("RILLE_DATA")
    if given and given ~= "" then
        return { given }
    end
    local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
    local share = parent(parent(parent(here)))
    return { share .. "/rille/data", parent(parent(here)) .. "/scripts/data" }
end

local function find(name)
    local tried = folders()
    for _, folder in ipairs(tried) do
        local path = folder .. "/" .. name
        local file = io.open(path, "rb")
        if file then
            file:close()
            return path
        end
    end
    check.fail("digits: no file '%s' in %s (RILLE_DATA names another folder)", name, table.concat(tried, " or "))
end

local TRAIN = 1437

--- The 1797 handwritten digits that come with Rille, 8x8 pixels (E. Alpaydin & C. Kaynak 1998, UCI, CC BY 4.0).
-- options: flat (true): x is [n, 64], else [n, 8, 8]; dtype ("float32") of x; scale (true): pixels 0..1, else 0..16.
-- Returns { train = { x =, y = }, test = { x =, y = }, classes = 10, shape = { 8, 8 } }: the first 1437 images for training,
-- the last 360 for testing, always the same. y is int64 [n], the digit + 1, as class labels count from 1.
-- Raises where the files are missing, naming the folders that were searched.
function data.digits(options)
    options = check.options(1, "digits", options, { flat = true, dtype = "float32", scale = true })
    if options.dtype ~= "float32" and options.dtype ~= "float64" then
        check.argument(1, "digits", "dtype: 'float32' or 'float64' expected, got '%s'", options.dtype)
    end
    local images = rille.read_idx(find("digits-images-idx3-ubyte"))
    local labels = rille.read_idx(find("digits-labels-idx1-ubyte"))
    local n = images:size(1)
    local x = images:to(options.dtype)
    if options.scale then
        x = x / 16
    end
    if options.flat then
        x = x:reshape(n, 64)
    end
    local y = labels:to("int64") + 1
    local function part(start, length)
        return { x = x:narrow(1, start, length):clone(), y = y:narrow(1, start, length):clone() }
    end
    return { train = part(1, TRAIN), test = part(TRAIN + 1, n - TRAIN), classes = 10, shape = { 8, 8 } }
end

-- Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators": a stream of its own, so that shuffling
-- takes nothing from rille.manual_seed's.
local function splitmix64(seed)
    local state = seed
    return function()
        state = state + 0x9E3779B97F4A7C15
        local z = state
        z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
        z = (z ~ (z >> 27)) * 0x94D049BB133111EB
        return z ~ (z >> 31)
    end
end

-- A permutation of 1..n (Fisher & Yates), as an int64 tensor. An index below i is 53 random bits times i.
local function permutation(n, seed)
    local order, draw = {}, splitmix64(seed)
    for i = 1, n do
        order[i] = i
    end
    for i = n, 2, -1 do
        local j = math.floor((draw() >> 11) * 0x1p-53 * i) + 1
        order[i], order[j] = order[j], order[i]
    end
    return rille.tensor(order, { dtype = "int64" })
end

local function check_rows(n, tensor)
    if not check.is_tensor(tensor) or tensor:dim() == 0 then
        check.argument(n, "batches", "tensor [n, ...] expected, got %s",
            check.is_tensor(tensor) and "a scalar tensor" or check.type_name(tensor))
    end
end

--- Iterates over batches: for xb, yb, i in data.batches(x, y, size [, options]) do ... end, where i counts from 1.
-- x and y have the same first dimension; the last batch holds what is left. options: shuffle, an integer seed (a stream of
-- its own: the same seed gives the same order anywhere), or true to draw from rille.manual_seed's; drop_last (false): leave
-- out a smaller last batch.
function data.batches(x, y, size, options)
    check_rows(1, x)
    check_rows(2, y)
    if x:size(1) ~= y:size(1) then
        check.argument(2, "batches", "x has %d rows, y has %d", x:size(1), y:size(1))
    end
    size = check.positive_integer(3, "batches", "size", size)
    options = check.options(4, "batches", options, { shuffle = { "number", "boolean" }, drop_last = false })
    local n, order = x:size(1), nil
    size = math.min(size, math.max(n, 1))
    if math.type(options.shuffle) == "integer" then
        order = permutation(n, options.shuffle)
    elseif type(options.shuffle) == "number" then
        check.argument(4, "batches", "shuffle: integer seed expected, got %.14g", options.shuffle)
    elseif options.shuffle then
        order = rille.randperm(n)
    end
    local count = options.drop_last and n // size or (n + size - 1) // size
    local batch = 0
    return function()
        if batch == count then
            return nil
        end
        batch = batch + 1
        local start = (batch - 1) * size + 1
        local length = math.min(size, n - start + 1)
        if order then
            local rows = order:narrow(1, start, length)
            return x:index_select(1, rows), y:index_select(1, rows), batch
        end
        return x:narrow(1, start, length), y:narrow(1, start, length), batch
    end
end

return check.strict(data, "rille.data")
