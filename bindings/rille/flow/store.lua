--- rille.flow.store: the rows of many passes in little memory. A pass is one string of float64 and the layers' names; as
-- tables, the rows of a long run would be most of what Lua's collector goes through.

local store = {}

--- What a row holds, in the order of the CSV file.
store.columns = {
    "step", "layer", "name", "kind", "mean", "std", "min", "max", "log10_norm", "saturated", "dead", "zeros", "subnormals",
    "nans", "infinities", "gradient_log10_norm", "gradient_zeros", "gradient_subnormals", "gradient_nans",
    "gradient_infinities", "weight_log10_norm", "weight_gradient_log10_norm", "weight_gradient_std",
    "weight_gradient_nonfinite", "bias_gradient_log10_norm", "bias_gradient_std", "bias_gradient_nonfinite",
}

local FIRST = 5 -- the columns from here on are numbers that may be absent
local COUNT = #store.columns - FIRST + 1
local FORMAT = "<I4" .. ("d"):rep(COUNT) -- a bit for each number that is there, then the numbers
local SIZE = FORMAT:packsize()

local function encode(row)
    local present, values = 0, {}
    for i = 1, COUNT do
        local value = row[store.columns[FIRST + i - 1]]
        present = value and present | 1 << (i - 1) or present
        values[i] = value or 0
    end
    return FORMAT:pack(present, table.unpack(values, 1, COUNT))
end

local function same_layers(layers, rows)
    for i, row in ipairs(rows) do
        local layer = layers[i]
        if not layer or layer.name ~= row.name or layer.kind ~= row.kind or layer.bounded ~= row.bounded then
            return false
        end
    end
    return #layers == #rows
end

--- Adds the rows of a pass to a list of packed passes.
function store.add(list, rows)
    local data, layers = {}, list[#list] and list[#list].layers or {}
    if not same_layers(layers, rows) then
        layers = {}
        for i, row in ipairs(rows) do
            layers[i] = { name = row.name, kind = row.kind, bounded = row.bounded }
        end
    end
    for i, row in ipairs(rows) do
        data[i] = encode(row)
    end
    list[#list + 1] = { step = rows[1].step, layers = layers, data = table.concat(data) }
end

--- The rows of a packed pass, as they were.
function store.rows(pass)
    local rows = {}
    for i, layer in ipairs(pass.layers) do
        local numbers = { FORMAT:unpack(pass.data, (i - 1) * SIZE + 1) }
        local row = { step = pass.step, layer = i, name = layer.name, kind = layer.kind, bounded = layer.bounded }
        for k = 1, COUNT do
            if numbers[1] & 1 << (k - 1) ~= 0 then
                row[store.columns[FIRST + k - 1]] = numbers[1 + k]
            end
        end
        rows[i] = row
    end
    return rows
end

return store
