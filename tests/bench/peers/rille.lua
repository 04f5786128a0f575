-- Rille as scripts see it: see peer.h for what it is asked. It only has calls: one operation on a small tensor.
local rille = require "rille"

local CALL = {
   tanh = rille.tanh,
   relu = rille.relu,
   add = function(x) return x + x end,
}

local case

local function begin(op, pass, rows, columns, threads)
   if pass ~= "call" or not CALL[op] then return "none" end
   rille.threads(tonumber(threads))
   case = { f = CALL[op], x = rille.randn(tonumber(rows) * tonumber(columns)) }
   return "ok"
end

local function run(count)
   local f, x = case.f, case.x
   local began = os.clock()
   rille.no_grad(function()
      for _ = 1, count do f(x) end
   end)
   return os.clock() - began
end

for line in io.lines() do
   local words = {}
   for word in line:gmatch("%S+") do words[#words + 1] = word end
   if words[1] == "name" then
      print("Rille in Lua")
   elseif words[1] == "case" then
      print(begin(table.unpack(words, 2)))
   elseif words[1] == "run" then
      print(("%.9g"):format(run(tonumber(words[2]))))
   else
      print("ok")
   end
   io.stdout:flush()
end
