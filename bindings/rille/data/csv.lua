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

-- All rows of the text, as columns of cells; empty lines are passed over.
local function parse(path, content, separator)
    local columns, row, column, at = {}, 1, 1, content:sub(1, 3) == "\u{feff}" and 4 or 1
    local ends = "[\r\n" .. (separator:find("%w") and "" or "%") .. separator .. "]"
    local separates, zero = separator:byte(), content:find("\0", 1, true)
    if zero then
        fail(path, content, zero, "a zero byte: this is no text")
    end
    local start = at
    while at <= #content do
        local cell, after
        if content:byte(at) == 34 then
            cell, after = quoted(path, content, at)
        else
            after = content:find(ends, at) or #content + 1
            cell = content:sub(at, after - 1)
        end
        local mark = content:byte(after) -- nil at the end
        local ended = mark ~= separates
        if mark and ended and mark ~= 13 and mark ~= 10 then
            fail(path, content, after, "text behind a closing quote")
        end
        local empty = ended and column == 1 and after == start
        if not empty then
            if row == 1 then
                columns[column] = {}
            elseif not columns[column] then
                fail(path, content, at, "more cells than the %d of the first row", #columns)
            end
            columns[column][row] = cell
        end
        at = after + (mark == 13 and content:byte(after + 1) == 10 and 2 or 1)
        column = column + 1
        if ended then
            if not empty and column <= #columns then
                fail(path, content, after, "%d cell%s, the first row has %d", column - 1, column == 2 and "" or "s", #columns)
            end
            row, column, start = empty and row or row + 1, 1, at
        elseif at > #content then -- a separator ends the file: a last, empty cell
            content = content .. "\n"
        end
    end
    return columns, row - 1
end

-- A decimal number, spaces around it; nil where it is none.
local function number_of(cell)
    if cell:find("^%s*[+-]?[%d.][%d.eE+-]*%s*$") then
        return tonumber(cell) or tonumber((cell:gsub("^%s*%+", "")))
    elseif cell:find("^%s*[+-]?[iI]nf%s*$") then
        return cell:find("-", 1, true) and -math.huge or math.huge
    end
end

-- The cells as numbers, missing ones as NaN; nil where one is a word.
local function numbers_of(cells, missing)
    local numbers = {}
    for i, cell in ipairs(cells) do
        numbers[i] = missing[cell] and 0 / 0 or number_of(cell)
        if not numbers[i] then
            return nil
        end
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
    table.sort(classes)
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

-- The names of the columns: the first row, which is taken away, or "1", "2", ...
local function take_names(path, columns, header)
    local names, index = {}, {}
    for i, cells in ipairs(columns) do
        local name = header and table.remove(cells, 1) or tostring(i)
        if index[name] then
            check.fail("csv: %s: two columns are called '%s'", path, name)
        end
        names[i], index[name] = name, i
    end
    return names, index
end

local function add_target(result, path, name, cells, numbers, missing, o)
    for _, cell in ipairs(cells) do
        if missing[cell] then
            check.fail("csv: %s: the target '%s' has missing values", path, name)
        end
    end
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
    local columns, rows = parse(path, read_file(path), o.separator)
    if rows - (o.header and 1 or 0) < 1 then
        check.fail("csv: %s: no rows", path)
    end
    local names, index = take_names(path, columns, o.header)
    if o.target and not index[o.target] then
        check.argument(2, "csv", "no column '%s' in %s%s", o.target, path, check.did_you_mean(o.target, names))
    end
    local result, numeric, missing = { names = {}, text = {}, rows = #columns[1] }, {}, missing_set(o.missing)
    for i, cells in ipairs(columns) do
        local numbers = numbers_of(cells, missing)
        if names[i] == o.target then
            add_target(result, path, names[i], cells, numbers, missing, o)
        elseif numbers then
            numeric[#numeric + 1] = rille.tensor(numbers, { dtype = o.dtype })
            table.insert(result.names, names[i])
        else
            result.text[names[i]] = cells
        end
    end
    result.x = #numeric > 0 and rille.stack(numeric, 2) or rille.zeros(result.rows, 0, { dtype = o.dtype })
    return result
end
