--- Writes annotations for the Lua language server into a folder, a file a module: lua5.4 bindings/types.lua FOLDER
--
-- Names are those that the modules export when loaded. What is said of them stands in front of their definitions: a comment
-- that begins with the call, as in "nn.Linear(in_features, out_features [, {bias=true}]): y = x W^T + b", or the comment over a
-- Lua function. Nothing is said of the types of arguments, which no comment tells in a form to rely on.

local rille = require "rille"
local files = require "rille.files"
local nn = require "rille.nn"

local folder = arg[1]
if not folder or arg[2] then
    io.stderr:write("usage: types.lua FOLDER\n")
    os.exit(false, true)
end
local here = arg[0]:match("^(.*)/[^/]*$") or "."
local MODULES = { "nn", "nn.init", "optim", "train", "data", "flow", "plot", "report" }
local OPERATORS = { "add", "sub", "mul", "div", "pow", "mod", "unm" }

---- Reading what the sources say ----------------------------------------------------------------------------------------

-- A paragraph's first sentence.
local function first_sentence(paragraph)
    paragraph = paragraph:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
    return paragraph:match("^(.-[%.%)])%s+%u") or paragraph
end

-- "(x, y [, z] [, {eps=1e-5}])" -> "x, y, z, options"; "..." where what is in parentheses is no list of names.
local function parameters_of(signature)
    local function name_of(braces)
        return braces:find("=", 1, true) and "options" or "list"
    end
    local inner = signature:match("^%((.*)%)$"):gsub("%b{}", name_of):gsub("[%[%]]", "")
    local names, seen = {}, {}
    for word in inner:gmatch("[^,]+") do
        local name = word:match("^%s*([%a_][%w_]*)%s*$") or word:match("^%s*([%a_][%w_]*)%s*=")
        if not name or seen[name] then
            return "..."
        end
        names[#names + 1], seen[name] = name, true
    end
    return table.concat(names, ", ")
end

local formulas = {} -- of activations, by name
for _, entry in ipairs(rille.activations) do
    formulas[entry.name] = entry.formula
end

local lines_of = {}
local docs = {}            -- [name] = list of { prefix =, signature =, text = }
local methods_of_nets = {} -- [name] = { text or nil, parameters }

-- A comment that begins with a call, "nn.Linear(...): ..." or "t:narrow(...): ...".
local function note(comment)
    local prefix, name, signature, text = comment:match("^([%a_.]-)[.:]?([%a_][%w_]*)(%b())[:,]?%s*(.*)")
    if name then
        docs[name] = docs[name] or {}
        table.insert(docs[name], { prefix = prefix, signature = signature, text = text })
    end
end

local function read_lua(path)
    local lines, comment = {}, nil
    for line in io.lines(path) do
        lines[#lines + 1] = line
        local first, more = line:match("^%-%-%- (.*)"), line:match("^%-%- ?(.*)")
        if first then
            comment = first
        elseif more and comment then
            comment = comment .. " " .. more
        else
            if comment then
                note(comment)
            end
            local class, colon, name, parameters = line:match("^function ([%a_]+)([.:])([%a_][%w_]*)%((.-)%)")
            if class == "Module" or class == "methods" then
                methods_of_nets[name] = { comment, colon == ":" and parameters or parameters:gsub("^%w+,? ?", "", 1) }
            end
            comment = nil
        end
    end
    lines_of[path:match("rille/.*")] = lines
end

local function read_c(path)
    local file <close> = assert(io.open(path))
    for comment in ("\n" .. file:read("a")):gmatch("\n/%* (.-)%*/") do
        note(comment:gsub("\n%s*%*?", " "))
    end
end

-- The comment over the line where a Lua function begins, and its parameters.
local function look_at(f)
    local info = debug.getinfo(f, "Su")
    local lines = lines_of[info.source:match("rille/.*") or ""]
    if not lines then
        return nil
    end
    local names, i, comment = {}, info.linedefined - 1, nil
    for n = 1, info.nparams do
        names[n] = debug.getlocal(f, n)
    end
    names[#names + 1] = info.isvararg and "..." or nil
    while lines[i] and lines[i]:find("^%-%- ") do
        comment, i = lines[i]:sub(4) .. " " .. (comment or ""), i - 1
    end
    local first = lines[i] and lines[i]:match("^%-%-%- (.*)")
    return first and first .. " " .. (comment or ""), table.concat(names, ", ")
end

---- Writing -------------------------------------------------------------------------------------------------------------

-- Does a comment speak of module.name? "t" is the module of tensors' methods; comments call a tensor by one letter.
local function speaks_of(prefix, module)
    local short = #prefix <= 1 or prefix == "rille"
    return prefix == module or short and (module == "rille" or module == "t")
end

-- What is said of module.name, and its parameters; those of a method without the tensor itself.
local function describe(module, name, value)
    local formula = formulas[name]
    if formula and (module == "rille" or module == "t") then
        return "f(x) = " .. formula, module == "rille" and "x, ..." or "..."
    end
    for _, doc in ipairs(docs[name] or {}) do
        if speaks_of(doc.prefix, module) then
            local call = (doc.prefix .. "." .. name):gsub("^%.", ""):gsub("^(%a)%.", "%1:") .. doc.signature
            local parameters = parameters_of(doc.signature)
            if module == "t" and #doc.prefix ~= 1 then
                parameters = parameters:gsub("^[%a_][%w_]*,? ?", "")
            elseif module == "rille" and #doc.prefix == 1 then
                parameters = doc.prefix .. (parameters == "" and "" or ", ") .. parameters
            end
            return call .. (doc.text == "" and "" or ": " .. first_sentence(doc.text)), parameters
        end
    end
    if type(value) == "function" then
        local text, names = table.unpack(module == "Module" and methods_of_nets[name] or { look_at(value) }, 1, 2)
        return text and first_sentence(text), names or "..."
    end
end

local function sorted(t)
    local keys = {}
    for key in pairs(t) do
        keys[#keys + 1] = type(key) == "string" and key or nil
    end
    table.sort(keys)
    return keys
end

-- One name of a table: `of` is what stands before it, "nn." or "Tensor:".
local function declaration(module, of, name, value)
    local text, parameters = describe(module, name, value)
    local out = { text and "--- " .. text or nil }
    if type(value) == "function" then
        table.insert(out, ("function %s%s(%s) end"):format(of, name, parameters))
    elseif type(value) == "table" and module == "nn" and rawget(value, "class_name") then
        table.insert(out, ("---@class nn.%s%s"):format(name, value ~= nn.Module and ": nn.Module" or ""))
        table.insert(out, ("---@overload fun(...): nn.%s"):format(name))
        table.insert(out, ("%s%s = {}"):format(of, name))
        for _, method in ipairs(value == nn.Module and sorted(value) or {}) do
            if type(value[method]) == "function" then
                table.insert(out, "\n" .. declaration("Module", "nn.Module:", method, value[method]))
            end
        end
    else
        table.insert(out, ("%s%s = %s"):format(of, name, type(value) == "table" and "{}" or ("%q"):format(value)))
    end
    return table.concat(out, "\n")
end

local function annotations(name, module, extra)
    local short = name:match("[^.]*$")
    local out = { ("---@meta %s%s"):format(name, extra and "\n\n" .. extra or "") }
    table.insert(out, ("---@class %s\nlocal %s = {}"):format(name, short))
    for _, key in ipairs(sorted(module)) do
        table.insert(out, declaration(short, short .. ".", key, module[key]))
    end
    table.insert(out, ("return %s"):format(short))
    return table.concat(out, "\n\n") .. "\n"
end

-- The methods of tensors: the table that the metatable's __index looks them up in.
local function tensor_methods()
    local index, methods = getmetatable(rille.zeros(1)).__index, nil
    for i = 1, debug.getinfo(index, "u").nups do
        local _, value = debug.getupvalue(index, i)
        methods = type(value) == "table" and value.narrow and value or methods
    end
    return assert(methods, "the methods of tensors were not found")
end

local function tensor_class()
    local out = { "---@class Tensor", "---@field grad Tensor?" }
    for _, operator in ipairs(OPERATORS) do
        local operand = operator == "unm" and "" or "(Tensor|number)"
        table.insert(out, ("---@operator %s%s: Tensor"):format(operator, operand))
    end
    table.insert(out, "local Tensor = {}")
    local methods = tensor_methods()
    for _, name in ipairs(sorted(methods)) do
        table.insert(out, "\n" .. declaration("t", "Tensor:", name, methods[name]))
    end
    return table.concat(out, "\n")
end

local list <close> = assert(io.popen(("ls %s/*.c %s/rille/*.lua %s/rille/*/*.lua"):format(files.quote(here),
    files.quote(here), files.quote(here))))
for path in list:lines() do
    (path:find("%.c$") and read_c or read_lua)(path)
end
assert(files.make_folder(folder))
files.write(folder .. "/rille.lua", annotations("rille", rille, tensor_class()))
for _, name in ipairs(MODULES) do
    local module = name == "nn.init" and nn.init or require("rille." .. name)
    files.write(("%s/%s.lua"):format(folder, name), annotations("rille." .. name, module))
end
