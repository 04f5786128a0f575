--- rille.data.stream: random numbers of their own, so that shuffling and synthetic sets take nothing from
-- rille.manual_seed's: the same seed gives the same numbers anywhere.

local rille = require "rille"

-- Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators".
local function splitmix64(seed)
    local state = seed
    return function()
        state = state + 0x9E3779B97F4A7C15
        local z = state
        z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
        z = (z ~ (z >> 27)) * 0x94D049BB133111EB
        return z ~ (z >> 31)
    end
end

--- A stream: uniform() in [0, 1), 53 random bits; below(n) in 0 ... n - 1; normal() (Box & Muller 1958).
return function(seed)
    local draw, spare = splitmix64(seed), nil
    local stream = {}

    function stream.uniform()
        return (draw() >> 11) * 0x1p-53
    end

    function stream.below(n)
        return math.floor(stream.uniform() * n)
    end

    function stream.normal()
        if spare then
            local value = spare
            spare = nil
            return value
        end
        local radius, angle = math.sqrt(-2 * math.log(1 - stream.uniform())), 2 * math.pi * stream.uniform()
        spare = radius * math.sin(angle)
        return radius * math.cos(angle)
    end

    --- A permutation of 1..n (Fisher & Yates), as an int64 tensor.
    function stream.permutation(n)
        local order = {}
        for i = 1, n do
            order[i] = i
        end
        for i = n, 2, -1 do
            local j = stream.below(i) + 1
            order[i], order[j] = order[j], order[i]
        end
        return rille.tensor(order, { dtype = "int64" })
    end

    --- A tensor of this shape, its elements one draw() after the other.
    function stream.tensor(shape, dtype, draw_one)
        local values, count = {}, 1
        for _, size in ipairs(shape) do
            count = count * size
        end
        for i = 1, count do
            values[i] = draw_one()
        end
        return rille.tensor(values, { dtype = dtype }):reshape(shape)
    end

    return stream
end
