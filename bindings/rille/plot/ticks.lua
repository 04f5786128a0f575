--- rille.plot.ticks: where an axis has its marks.

--- At most `most` round numbers from low to high, where there are as many.
return function(low, high, most)
    local unit = 10 ^ math.floor(math.log((high - low) / most, 10))
    local step
    for _, factor in ipairs { 1, 2, 5, 10 } do
        step = step or (high - low) / (unit * factor) <= most and unit * factor or nil
    end
    local list = {}
    for i = math.ceil(low / step), math.floor(high / step) do
        list[#list + 1] = i * step
    end
    return list
end
