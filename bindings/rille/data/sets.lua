--- rille.data.sets: well-known sets of images, from the files in which they are published.

local rille = require "rille"
local check = require "rille.check"

local sets = {}

local FASHION = { "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot" }
local CIFAR = { "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck" }

--- What all sets of images take: flat, dtype and scale. highest: the largest pixel value.
function sets.read_options(n, name, options, flat)
    options = check.options(n, name, options, { flat = flat, dtype = "float32", scale = true })
    if options.dtype ~= "float32" and options.dtype ~= "float64" then
        check.argument(n, name, "dtype: 'float32' or 'float64' expected, got '%s'", options.dtype)
    end
    return options
end

--- uint8 images and labels as { x =, y = }: x of the dtype, 0..1 with scale, [n, pixels] with flat; y int64, label + 1.
function sets.prepare(images, labels, highest, options)
    local x = images:to(options.dtype)
    if options.scale then
        x = x / highest
    end
    if options.flat then
        x = x:flatten(2, -1)
    end
    return { x = x, y = labels:to("int64") + 1 }
end

-- The first of the names that is there in the folder.
local function find(name, folder, candidates)
    if type(folder) ~= "string" then
        check.argument(1, name, "folder expected, got %s", check.type_name(folder))
    end
    for _, candidate in ipairs(candidates) do
        if rille.file_size(folder .. "/" .. candidate) then
            return folder .. "/" .. candidate
        end
    end
    check.fail("%s: no file '%s' in %s", name, table.concat(candidates, "' or '"), folder)
end

local function check_labels(name, path, labels)
    if labels:numel() > 0 and labels:max():item() > 9 then
        check.fail("%s: %s: a label of %d; they are 0 ... 9", name, path, labels:max():item())
    end
end

local function read_part(name, folder, part, options)
    local function read(kind, rank)
        local stem = part .. "-" .. kind
        local path = find(name, folder, { stem .. "-idx" .. rank .. "-ubyte", stem .. "-idx" .. rank .. "-ubyte.gz",
            stem .. ".idx" .. rank .. "-ubyte", stem .. ".idx" .. rank .. "-ubyte.gz" })
        local t = rille.read_idx(path)
        if t:dim() ~= rank then
            check.fail("%s: %s: %s of shape %s; rank %d expected", name, path, kind, check.shape_text(t:shape()), rank)
        end
        return t, path
    end
    local images = read("images", 3)
    local labels, path = read("labels", 1)
    if images:size(1) ~= labels:size(1) then
        check.fail("%s: %s: %d labels for %d images", name, path, labels:size(1), images:size(1))
    end
    check_labels(name, path, labels)
    return sets.prepare(images, labels, 255, options), { images:size(2), images:size(3) }
end

local function read_mnist(name, folder, options, names)
    options = sets.read_options(2, name, options, true)
    local train, shape = read_part(name, folder, "train", options)
    return { train = train, test = read_part(name, folder, "t10k", options), classes = 10, shape = shape, names = names }
end

--- data.mnist(folder [, options]): LeCun's handwritten digits, 60,000 and 10,000 of 28x28 pixels, from the four IDX files as
-- they are published, gzipped or not. options and result as data.digits has them.
function sets.mnist(folder, options)
    return read_mnist("mnist", folder, options)
end

--- data.fashion_mnist(folder [, options]): Xiao, Rasul & Vollgraf 2017, in MNIST's format; names are those of the classes.
function sets.fashion_mnist(folder, options)
    return read_mnist("fashion_mnist", folder, options, FASHION)
end

local RECORD = 1 + 3 * 32 * 32

--- data.cifar10(folder [, options]): Krizhevsky 2009, 50,000 and 10,000 colour images, from the binary version:
-- data_batch_1.bin ... data_batch_5.bin and test_batch.bin. options and result as data.digits has them, but that flat is
-- false: x is [n, 3, 32, 32]; names has what the classes are called.
function sets.cifar10(folder, options)
    options = sets.read_options(2, "cifar10", options, false)
    local function read(name)
        local path = find("cifar10", folder, { name })
        local records = rille.read_records(path, RECORD)
        local labels = records:narrow(2, 1, 1):flatten(1, 2)
        check_labels("cifar10", path, labels)
        return sets.prepare(records:narrow(2, 2, RECORD - 1):reshape(records:size(1), 3, 32, 32), labels, 255, options)
    end
    local xs, ys = {}, {}
    for i = 1, 5 do
        local part = read(("data_batch_%d.bin"):format(i))
        xs[i], ys[i] = part.x, part.y
    end
    return { train = { x = rille.cat(xs, 1), y = rille.cat(ys, 1) }, test = read("test_batch.bin"), classes = 10,
        shape = { 3, 32, 32 }, names = { table.unpack(CIFAR) } }
end

return check.strict(sets, "rille.data.sets")
