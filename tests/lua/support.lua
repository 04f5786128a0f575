--- What several specs share: the text of an error, files, pictures.

local support = {}

--- The message of the error that f(...) raises, without its position.
function support.message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert(not ok, "an error was expected")
    return (tostring(message):gsub("^[^:]+:%d+: ", ""))
end

--- Raises where two numbers are further apart than the tolerance (1e-6).
function support.close(expected, actual, tolerance)
    assert(math.abs(expected - actual) <= (tolerance or 1e-6), ("%.9g expected, got %.9g"):format(expected, actual))
end

--- The names of a net's parameters.
function support.names_of(net)
    local names = {}
    for name in net:named_parameters() do
        names[#names + 1] = name
    end
    return names
end

--- What is in a file.
function support.read(path)
    local file = assert(io.open(path, "rb"))
    local content = file:read("a")
    file:close()
    return content
end

--- Makes a file of this content.
function support.write(path, content)
    local file = assert(io.open(path, "wb"))
    file:write(content)
    file:close()
end

--- The names of the files in a folder, sorted.
function support.files_in(folder)
    local pipe = assert(io.popen("ls -A " .. folder))
    local list = {}
    for name in pipe:lines() do
        list[#list + 1] = name
    end
    pipe:close()
    return list
end

--- Runs a command: what it says, on both streams, and whether it ended well.
function support.run(command)
    local pipe = assert(io.popen(command .. " 2>&1"))
    local said = pipe:read("a")
    return said, pipe:close() == true
end

--- The start of a command that runs a script in a Lua of its own, with the modules that this one has.
function support.interpreter()
    local first = -1
    while arg[first - 1] do
        first = first - 1
    end
    return ("LUA_PATH_5_4='%s' LUA_CPATH_5_4='%s' '%s'"):format(package.path, package.cpath, arg[first])
end

--- Raises where run(arguments), for each of the arguments that messages has as keys, ends well or does not say its message.
function support.assert_refusals(run, messages)
    for arguments, message in pairs(messages) do
        local said, well = run(arguments)
        assert(not well and said:find(message, 1, true), ("%s: '%s' expected, got %s"):format(arguments, message, said))
    end
end

--- Raises where run("--help") does not end well and name these options.
function support.assert_help(run, options)
    local said, well = run("--help")
    for _, option in ipairs(options) do
        assert(well and said:find(option, 1, true), ("no %s in %s"):format(option, said))
    end
end

--- Raises where a file is no PNG.
function support.assert_png(path)
    assert(support.read(path):sub(1, 8) == "\137PNG\r\n\26\n", path .. " is no PNG")
end

--- Raises where a folder lacks plots of these names, as SVG and as PNG.
function support.assert_plots(folder, names)
    for _, name in ipairs(names) do
        assert(support.read(("%s/%s.svg"):format(folder, name)):find("</svg>%s*$"), name .. ".svg is not whole")
        support.assert_png(("%s/%s.png"):format(folder, name))
    end
end

return support
