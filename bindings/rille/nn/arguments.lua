--- rille.nn.arguments: what modules ask of their inputs and of the arguments of their classes.

local check = require "rille.check"

local arguments = {}

--- x, the input of a module, as a floating tensor, or an error that names the module's path.
function arguments.check_input(self, x)
    if not check.is_tensor(x) then
        self:argument_error(1, "tensor expected, got %s", check.type_name(x))
    elseif not check.is_floating(x) then
        self:argument_error(1, "input is %s, expected float32 or float64", x:dtype())
    end
end

--- The option 'dtype' of a class, its argument n.
function arguments.check_dtype(n, class_name, dtype)
    if dtype ~= "float32" and dtype ~= "float64" then
        check.argument(n, class_name, "dtype: 'float32' or 'float64' expected, got '%s'", dtype)
    end
end

--- value, an integer or a list of `axes` of them, each of at least `least`, as such a list.
function arguments.sizes(n, class_name, what, value, axes, least)
    local list = {}
    for d = 1, axes do
        local size = value
        if type(value) == "table" then
            size = value[d]
        end
        list[d] = math.type(size) == "integer" and size or type(size) == "number" and math.tointeger(size)
        if not list[d] or list[d] < least or type(value) == "table" and #value ~= axes then
            local shown = type(value) == "table" and #value ~= axes and ("a list of %d"):format(#value)
                or check.value_text(size)
            check.argument(n, class_name, "%s: integer of %d or more%s expected, got %s", what, least,
                axes > 1 and (", or a list of %d,"):format(axes) or "", shown)
        end
    end
    return list
end

--- A list of sizes as print(net) shows it: "3" where all are alike, else "3x5".
function arguments.sizes_text(list)
    for _, size in ipairs(list) do
        if size ~= list[1] then
            return table.concat(list, "x")
        end
    end
    return tostring(list[1])
end

--- ", stride 2": a list of sizes where it is not what it is by default, else "".
function arguments.sizes_unless(what, list, default)
    local text = arguments.sizes_text(list)
    return text == tostring(default) and "" or (", %s %s"):format(what, text)
end

return arguments
