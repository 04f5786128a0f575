--- rille.data: data sets, and batches of them.

local rille = require "rille"
local check = require "rille.check"
local new_stream = require "rille.data.stream"
local sets = require "rille.data.sets"
local synthetic = require "rille.data.synthetic"

local data = {}

-- Where the data files may be: RILLE_DATA alone where it is set; else beside the installed module
-- (share/lua/5.4/rille/data.lua -> share/rille/data), else in the source tree (bindings/rille -> scripts/data).
local function folders()
    local given = os.getenv("RILLE_DATA")
    if given and given ~= "" then
        return { given }
    end
    local share, root = require("rille.files").shared()
    return { share .. "/data", root .. "/scripts/data" }
end

local function find(name)
    local tried = folders()
    for _, folder in ipairs(tried) do
        local path = folder .. "/" .. name
        if rille.file_size(path) then
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
    options = sets.read_options(1, "digits", options, true)
    local images = rille.read_idx(find("digits-images-idx3-ubyte"))
    local labels = rille.read_idx(find("digits-labels-idx1-ubyte"))
    local n, all = images:size(1), sets.prepare(images, labels, 16, options)
    local x, y = all.x, all.y
    local function part(start, length)
        return { x = x:narrow(1, start, length):clone(), y = y:narrow(1, start, length):clone() }
    end
    return { train = part(1, TRAIN), test = part(TRAIN + 1, n - TRAIN), classes = 10, shape = { 8, 8 } }
end

data.mnist, data.fashion_mnist, data.cifar10 = sets.mnist, sets.fashion_mnist, sets.cifar10
data.spirals, data.teacher = synthetic.spirals, synthetic.teacher
data.adding, data.copying = synthetic.adding, synthetic.copying
data.csv = require "rille.data.csv"

--- data.npy(path), data.npz(path): NumPy's files, a tensor and a table of tensors by name.
data.npy, data.npz = rille.load_npy, rille.load_npz

local function check_rows(n, name, tensor)
    if not check.is_tensor(tensor) or tensor:dim() == 0 then
        check.argument(n, name, "tensor [n, ...] expected, got %s",
            check.is_tensor(tensor) and "a scalar tensor" or check.type_name(tensor))
    end
end

local function check_pair(name, x, y)
    check_rows(1, name, x)
    check_rows(2, name, y)
    if x:size(1) ~= y:size(1) then
        check.argument(2, name, "x has %d rows, y has %d", x:size(1), y:size(1))
    end
end

--- Two parts of a set: data.split(x, y, fraction [, {seed =}]) returns { x =, y = } of that fraction of the rows, rounded, and
-- of the others; in random order, of a stream of its own, with a seed, else in the order that they have.
function data.split(x, y, fraction, options)
    check_pair("split", x, y)
    if type(fraction) ~= "number" or not (fraction >= 0 and fraction <= 1) then
        check.argument(3, "split", "fraction: number in 0 ... 1 expected, got %s", check.value_text(fraction))
    end
    options = check.options(4, "split", options, { seed = { "number" } })
    local n, order = x:size(1), nil
    local first = math.floor(fraction * n + 0.5)
    if options.seed and math.type(options.seed) ~= "integer" then
        check.argument(4, "split", "seed: integer expected, got %s", check.value_text(options.seed))
    elseif options.seed then
        order = new_stream(options.seed).permutation(n)
    end
    local function part(start, length)
        if order then
            local rows = order:narrow(1, start, length)
            return { x = x:index_select(1, rows), y = y:index_select(1, rows) }
        end
        return { x = x:narrow(1, start, length), y = y:narrow(1, start, length) }
    end
    return part(1, first), part(first + 1, n - first)
end

-- The dimensions that a mean goes over: all but the one that is kept, if any.
local function averaged(x, per)
    local dims = {}
    for d = 1, x:dim() do
        if per == "all" or d ~= 2 and (d == 1 or per == "channel") then
            dims[#dims + 1] = d
        end
    end
    return dims
end

--- (x - mean) / std: data.normalize(x [, options]) returns it, and { mean =, std = }, which normalises other rows alike:
-- data.normalize(test.x, statistics). options: per ("feature"): a mean and a standard deviation for each element of a row,
-- "channel": for each x[:, c], "all": one for all. What has no deviation is only moved.
function data.normalize(x, options)
    check_rows(1, "normalize", x)
    if not check.is_floating(x) then
        check.argument(1, "normalize", "float32 or float64 expected, got %s", x:dtype())
    end
    options = check.options(2, "normalize", options, { per = "feature", mean = { "tensor" }, std = { "tensor" } })
    if options.per ~= "feature" and options.per ~= "channel" and options.per ~= "all" then
        check.argument(2, "normalize", "per: 'feature', 'channel' or 'all' expected, got '%s'", options.per)
    elseif options.per == "channel" and x:dim() < 2 then
        check.argument(1, "normalize", "tensor [n, channels, ...] expected, got %s", check.shape_text(x:shape()))
    elseif (options.mean == nil) ~= (options.std == nil) then
        check.argument(2, "normalize", "mean and std go together")
    end
    local mean, std = options.mean, options.std
    if not mean then
        local dims = averaged(x, options.per)
        mean = x:mean(dims, true)
        std = ((x - mean) ^ 2):mean(dims, true):sqrt()
    end
    return (x - mean) / std:masked_fill(rille.eq(std, 0), 1), { mean = mean, std = std }
end

--- Iterates over batches: for xb, yb, i in data.batches(x, y, size [, options]) do ... end, where i counts from 1.
-- x and y have the same first dimension; the last batch holds what is left. options: shuffle, an integer seed (a stream of
-- its own: the same seed gives the same order anywhere), or true to draw from rille.manual_seed's; drop_last (false): leave
-- out a smaller last batch.
function data.batches(x, y, size, options)
    check_pair("batches", x, y)
    size = check.positive_integer(3, "batches", "size", size)
    options = check.options(4, "batches", options, { shuffle = { "number", "boolean" }, drop_last = false })
    local n, order = x:size(1), nil
    size = math.min(size, math.max(n, 1))
    if math.type(options.shuffle) == "integer" then
        order = new_stream(options.shuffle).permutation(n)
    elseif type(options.shuffle) == "number" then
        check.argument(4, "batches", "shuffle: integer seed expected, got %s", check.value_text(options.shuffle))
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
