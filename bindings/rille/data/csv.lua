--- rille.data.csv: tables of comma-separated values (RFC 4180), as tensors.

local rille = require "rille"
local check = require "rille.check"

local MISSING = { [""] = true, NA = true, ["N/A"] = true, NaN = true, nan = true, null = true, NULL = true, ["?"] = true }

-- "csv: PATH: what (line L, byte N)"
local function fail(path, content, at, format, ...)
    local _, newlines = content:sub(1, at - 1):gsub("\n", "")
    check.fail("csv: %s: %s (line %d, byte %d)", path, format:format(...), newlines + 1, at - 1)
end

local function read_file(path)
    local size, why = rille.file_size(path)
    if not size then
        check.fail("csv: %s", why)
    end
    local file <close> = assert(io.open(path, "rb"))
    local content, problem = file:read(size)
    if problem then
        check.fail("csv: %s: %s", path, problem)
    end
    return content or ""
end

-- The cell that begins with a quote at `at`, and where what follows it begins.
local function quoted(path, content, at)
    local parts, from = {}, at + 1
    while true do
        local quote = content:find('"', from, true)
        if not quote then
            fail(path, content, at, "a quote that is not closed")
        end
        parts[#parts + 1] = content:sub(from, quote - 1)
        if content:byte(quote + 1) ~= 34 then
            return table.concat(parts, '"'), quote + 1
        end
        from = quote + 2
    end
end

-- Adds the cells of the row that begins at `at`, some in quotes, behind the n that are there. Returns how many there are then,
-- and where the row ends; `inside` is the pattern of a cell without quotes, from there to its end.
local function quoted_row(path, content, at, separator, inside, cells, n)
    local mark
    repeat
        local cell, after
        if content:byte(at) == 34 then
            cell, after = quoted(path, content, at)
        else
            cell, after = content:match(inside, at)
        end
        mark = content:sub(after, after)
        if mark ~= separator and not mark:find("^[\r\n]?$") then
            fail(path, content, after, "text behind a closing quote")
        end
        n, at = n + 1, after + 1
        cells[n] = cell
    until mark ~= separator
    return n, at - 1
end

-- The cells of the text, row after row, and how many a row has; empty lines are passed over.
local function parse(path, content, separator)
    local zero = content:find("\0", 1, true)
    if zero then
        fail(path, content, zero, "a zero byte: this is no text")
    end
    local cells, n, width, literal = {}, 0, nil, separator:gsub("%W", "%%%0")
    local inside, quotable = "[^" .. literal .. "]*", "^([^\r\n" .. literal .. "]*)()"
    local at, line, after = content:match("^[\r\n]*()([^\r\n]*)()", content:sub(1, 3) == "\u{feff}" and 4 or 1)
    while line ~= "" do
        local before = n
        if line:find('"', 1, true) then
            n, after = quoted_row(path, content, at, separator, quotable, cells, n)
        else
            for cell in line:gmatch(inside) do
                n = n + 1
                cells[n] = cell
            end
        end
        width = width or n
        if n - before ~= width then
            fail(path, content, after, "%d cell%s, the first row has %d", n - before, n - before == 1 and "" or "s", width)
        end
        at, line, after = content:match("^[\r\n]*()([^\r\n]*)()", after)
    end
    return cells, width or 0
end

-- What stands in a column of the rows that begin behind the first `offset` cells.
local function column_of(cells, offset, width, column)
    local values = {}
    for i = offset + column, #cells, width do
        values[#values + 1] = cells[i]
    end
    return values
end

-- Inf as it is written in tables; nil where it is none.
local function infinity_of(cell)
    if cell:find("^%s*[+-]?[iI]nf%s*$") then
        return cell:find("-", 1, true) and -math.huge or math.huge
    end
end

-- Adds the cells to the numbers, missing ones as NaN, and returns these; nil, with none added, where one is a word.
local function add_numbers(numbers, cells, missing)
    local before = #numbers
    for i, cell in ipairs(cells) do
        local number = tonumber(cell)
        if missing[cell] then
            number = 0 / 0
        elseif not number or not cell:find("^[^xX,]*$") then -- a word, hexadecimal, or a number only where a locale says so
            number = infinity_of(cell)
        end
        if not number then
            table.move({}, 1, i - 1, before + 1, numbers)
            return nil
        end
        numbers[before + i] = number
    end
    return numbers
end

-- The different cells in order (numbers by value), and for each row which it is.
local function classes_of(cells, numbers)
    local classes, index, labels = {}, {}, {}
    for _, cell in ipairs(numbers or cells) do
        if not index[cell] then
            index[cell], classes[#classes + 1] = true, cell
        end
    end
    table.sort(classes, not numbers and check.precedes or nil)
    for i, class in ipairs(classes) do
        index[class] = i
    end
    for i, cell in ipairs(numbers or cells) do
        labels[i] = index[cell]
    end
    return classes, rille.tensor(labels, { dtype = "int64" })
end

local function missing_set(words)
    if words == nil then
        return MISSING
    end
    local set = {}
    for _, word in ipairs(words) do
        set[word] = true
    end
    return set
end

local function read_options(options)
    options = check.options(2, "csv", options, { header = true, separator = ",", target = { "string" }, classes = false,
        missing = { "table" }, dtype = "float32" })
    if #options.separator ~= 1 or options.separator:find('[\r\n"]') then
        check.argument(2, "csv", "separator: one character expected, got %q", options.separator)
    elseif options.dtype ~= "float32" and options.dtype ~= "float64" then
        check.argument(2, "csv", "dtype: 'float32' or 'float64' expected, got '%s'", options.dtype)
    end
    return options
end

-- The names of the columns, from the first row or "1", "2", ..., and the column of each.
local function names_of(path, cells, width, header)
    local names, index = {}, {}
    for i = 1, width do
        local name = header and cells[i] or tostring(i)
        if index[name] then
            check.fail("csv: %s: two columns are called '%s'", path, name)
        end
        names[i], index[name] = name, i
    end
    return names, index
end

local function add_target(result, path, name, cells, missing, o)
    for _, cell in ipairs(cells) do
        if missing[cell] then
            check.fail("csv: %s: the target '%s' has missing values", path, name)
        end
    end
    local numbers = add_numbers({}, cells, missing)
    if not numbers or o.classes then
        result.classes, result.y = classes_of(cells, numbers)
    else
        result.y = rille.tensor(numbers, { dtype = o.dtype })
    end
end

--- data.csv(path [, options]): { x = [rows, columns], names = names of these columns, text = { name = list of strings },
-- rows = number of rows }. Columns of decimal numbers go into x, the others into text. options: header (true): the first
-- row has the names, else they are "1", "2", ...; separator (","); missing: words that mean a missing value, NaN in x
-- ({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"}); dtype ("float32") of x and y; target: the name of a column that
-- becomes y instead, none of it missing: numbers, or, where it holds words, or with classes = true, class labels from 1, int64,
-- of result.classes, the sorted values. Cells may be in quotes, a quote in them doubled. Raises with path, line and byte.
return function(path, options)
    if type(path) ~= "string" then
        check.argument(1, "csv", "path expected, got %s", check.type_name(path))
    end
    local o = read_options(options)
    local cells, width = parse(path, read_file(path), o.separator)
    local offset = o.header and width or 0
    if #cells == offset then
        check.fail("csv: %s: no rows", path)
    end
    local names, index = names_of(path, cells, width, o.header)
    if o.target and not index[o.target] then
        check.argument(2, "csv", "no column '%s' in %s%s", o.target, path, check.did_you_mean(o.target, names))
    end
    local result, numbers, missing = { names = {}, text = {}, rows = (#cells - offset) // width }, {}, missing_set(o.missing)
    for i, name in ipairs(names) do
        local column = column_of(cells, offset, width, i)
        if name == o.target then
            add_target(result, path, name, column, missing, o)
        elseif add_numbers(numbers, column, missing) then
            table.insert(result.names, name)
        else
            result.text[name] = column
        end
    end
    result.x = rille.tensor(numbers, { dtype = o.dtype }):reshape(#result.names, result.rows):t():contiguous()
    return result
end
