-- Every Lua block of every README is run, and where a block of ```text follows it, what it prints must be that text.

local GUIDES = { "README.md", "bindings/README.md" }
local PAGES = { "README.md", "bindings/README.md", "engine/README.md", "scripts/README.md", "tests/README.md" }

local function blocks_of(path)
    local found, kind, lines, first = {}, nil, nil, nil
    local number = 0
    for line in io.lines(path) do
        number = number + 1
        local fence = line:match("^```(%a*)")
        if fence and not kind then
            kind, lines, first = fence, {}, number
        elseif fence then
            if kind == "lua" then
                found[#found + 1] = { code = table.concat(lines, "\n"), line = first, path = path }
            elseif kind == "text" and found[#found] and found[#found].last and first - found[#found].last <= 4 then
                found[#found].expected = table.concat(lines, "\n") .. "\n"
            end
            if kind == "lua" then
                found[#found].last = number
            end
            kind = nil
        elseif kind then
            lines[#lines + 1] = line
        end
    end
    return found
end

-- What the block prints, and its error if it fails.
local function run(block)
    local out = {}
    local env = setmetatable({ print = function(...)
        local words = table.pack(...)
        for i = 1, words.n do
            words[i] = tostring(words[i])
        end
        out[#out + 1] = table.concat(words, "\t") .. "\n"
    end }, { __index = _G })
    local chunk, problem = load(block.code, ("@%s"):format(block.path), "t", env)
    if not chunk then
        return nil, problem
    end
    local ok, message = pcall(chunk)
    return table.concat(out), not ok and message or nil
end

local function without_trailing_blanks(s)
    return (s:gsub("[ \t]+\n", "\n"):gsub("\n+$", "\n"))
end

describe("the Lua blocks of", function()
    for _, path in ipairs(GUIDES) do
        it(path, function()
            local blocks = blocks_of(path)
            assert(#blocks > 0, path .. " has no Lua block")
            for _, block in ipairs(blocks) do
                local printed, problem = run(block)
                assert(problem == nil, ("%s, block of line %d: %s"):format(path, block.line, problem))
                if block.expected then
                    assert.are.equal(without_trailing_blanks(block.expected), without_trailing_blanks(printed))
                end
            end
        end)
    end
end)

describe("the headings of", function()
    for _, path in ipairs(PAGES) do
        it(path .. " stand there once each", function()
            local seen, fenced = {}, false
            for line in io.lines(path) do
                fenced = fenced ~= (line:match("^```") ~= nil)
                local heading = not fenced and line:match("^#+ (.+)")
                assert(not heading or not seen[heading], ("%s has two sections '%s'"):format(path, heading))
                seen[heading or ""] = true
            end
            assert(next(seen, "") or next(seen) ~= "", path .. " has no heading")
        end)
    end
end)
