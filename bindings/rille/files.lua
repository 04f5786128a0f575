--- rille.files: output files that are written whole or not at all.

local rille = require "rille"
local check = require "rille.check"

local files = {}

--- A word as the shell takes it literally.
function files.quote(word)
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- The folder of a path ("." where it names none), without looking at the file system.
function files.folder(path)
    local folder = path:match("^(.*)/[^/]*$")
    return folder == "" and "/" or folder or "."
end

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

--- Two folders: that of what is no Lua, which belongs to the installed modules (share/rille, where this file is
-- share/lua/5.4/rille/files.lua), and the one two above these modules' (the source tree's root, where they are bindings/rille).
function files.shared()
    local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
    return parent(parent(parent(here))) .. "/rille", parent(parent(here))
end

--- A name beside path that nobody else uses: the file is finished there, then renamed to path.
function files.partial(path)
    return ("%s.%s.part"):format(path, ("%p"):format({}):gsub("^0x0*", ""))
end

--- Makes a folder and those above it. Returns true, or nil and why not.
function files.make_folder(path)
    local pipe = io.popen("mkdir -p -- " .. files.quote(path) .. " 2>&1", "r")
    if not pipe then
        return nil, "cannot start a shell"
    end
    local message = pipe:read("a")
    if pipe:close() then
        return true
    end
    return nil, (message:gsub("%s+$", ""))
end

--- Moves the finished partial file to path, or removes it. Returns true, or nil and why not.
function files.finish(partial, path)
    local ok, message = os.rename(partial, path)
    if not ok then
        os.remove(partial)
        return nil, message
    end
    return true
end

--- Writes content to path; a file that is there already is replaced only by a complete one, a link leads to the file that is,
-- a device or a pipe is written to. Returns path; raises where the folder is missing, not writable or full.
function files.write(path, content)
    rille.write_file(path, content)
    return path
end

return check.strict(files, "rille.files")
