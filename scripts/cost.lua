#!/usr/bin/env lua5.4
--- What activations cost: nanoseconds an element, forward and backward, of every row of the registry, on one thread and in
-- cache; what e^x costs, and who pays for it. Speeds are measured here and now, so this table is not the same twice.

local rille = require "rille"
local experiment = require "rille.experiment"
local measurements = require "rille.atlas.measurements"
local text = require "rille.text"

local o = experiment.options("cost.lua", "Measures what each activation costs.", {
    { "activation", "One of them, or all.", "all" },
})

if o.activation ~= "all" then
    experiment.check_activation("cost.lua", o.activation)
end

local function nanoseconds(rate)
    return ("%.2f"):format(1 / rate)
end

local list = {}
for _, entry in ipairs(rille.activations) do
    if o.activation == "all" or o.activation == entry.name then
        local speed = measurements.speed(entry)
        list[#list + 1] = { name = entry.name, forward = speed.forward, backward = speed.backward,
            exponential = entry.formula:find("exp", 1, true) or entry.formula:find("tanh", 1, true)
                or entry.formula:find("erf", 1, true) }
    end
end
table.sort(list, function(a, b) return a.forward > b.forward end)
local fastest, rows, cheap, dear = list[1].forward, {}, {}, {}
for i, a in ipairs(list) do
    rows[i] = { a.name, nanoseconds(a.forward), nanoseconds(a.backward), text.number(fastest / a.forward, 2),
        a.exponential and "e^x" or "" }
    table.insert(a.exponential and dear or cheap, 1 / a.forward)
end
print(("nanoseconds an element, 65,536 float32 elements, one thread, instruction set %s; beside: over the cheapest forward")
    :format(rille.info().isa))
print(text.table({ "<activation", "forward", "backward", "beside", "<needs" }, rows))

-- A row an activation, the cheapest at the top.
local names, places, forward, backward = {}, {}, {}, {}
for i, a in ipairs(list) do
    names[i], places[i], forward[i], backward[i] = a.name, i, 1 / a.forward, 1 / a.backward
end
experiment.save(o, { { "cost", { title = "What activations cost, on one thread and in cache", xlabel = "ns an element",
    xlog = true, xtics = { 0.1, 0.2, 0.5, 1, 2, 5, 10, 20 }, ynames = names, height = 160 + 18 * #list, series = {
        { x = forward, y = places, label = "forward", style = "points" },
        { x = backward, y = places, label = "backward", style = "points" },
    } } } })

local function median(values)
    table.sort(values)
    return values[(#values + 1) // 2]
end

if #cheap > 0 and #dear > 0 then
    local without, with = median(cheap), median(dear)
    experiment.verdict({
        { with > without, ("activations made of e^x cost more: %.2f ns against %.2f ns, medians"):format(with, without) },
    }, ("Half of the activations without e^x cost less than %.2f ns an element, half of those with it more than %.2f ns: %s "
        .. "times as much. The dearest is %s."):format(without, with, text.number(with / without, 2), list[#list].name))
end
