--- rille.nn.pooling: MaxPool1d, MaxPool2d, AvgPool1d and AvgPool2d.

local rille = require "rille"
local arguments = require "rille.nn.arguments"
local check = require "rille.check"
local module = require "rille.nn.module"

local SIZES = { "number", "table" }

local function pool(class_name, axes, f, extra)
    local class = module.Module:extend(class_name)

    function class:init(kernel_size, options)
        local defaults = { stride = SIZES, padding = SIZES, ceil_mode = false }
        for name, default in pairs(extra) do
            defaults[name] = default
        end
        self.options = check.options(2, class_name, options, defaults)
        self.kernel_size = arguments.sizes(1, class_name, "kernel_size", kernel_size, axes, 1)
        self.options.stride = arguments.sizes(2, class_name, "stride", self.options.stride or self.kernel_size, axes, 1)
        self.options.padding = arguments.sizes(2, class_name, "padding", self.options.padding or 0, axes, 0)
        for d, padding in ipairs(self.options.padding) do
            if 2 * padding > self.kernel_size[d] then
                check.argument(2, class_name, "padding: half of the kernel, %d, at most expected, got %d", self.kernel_size[d],
                    padding)
            end
        end
    end

    function class:forward(x)
        arguments.check_input(self, x)
        if x:dim() < axes then
            self:argument_error(1, "input is %s, expected %s", check.shape_text(x:shape()),
                axes == 1 and "[..., l]" or "[..., h, w]")
        end
        return f(x, self.kernel_size, self.options)
    end

    function class:describe()
        local options, kernel = self.options, arguments.sizes_text(self.kernel_size)
        return ("kernel %s%s%s%s"):format(kernel, arguments.sizes_unless("stride", options.stride, kernel),
            arguments.sizes_unless("padding", options.padding, 0), options.ceil_mode and ", ceil_mode" or "")
    end

    return class
end

return {
    --- nn.MaxPool1d(kernel_size [, {stride=kernel_size, padding=0, ceil_mode=false}]): the largest of each window along the
    -- last dimension of x [..., l].
    MaxPool1d = pool("MaxPool1d", 1, rille.max_pool1d, {}),
    --- nn.MaxPool2d: likewise over the last two dimensions of x [..., h, w]; sizes are a number or a list {rows, columns}.
    MaxPool2d = pool("MaxPool2d", 2, rille.max_pool2d, {}),
    --- nn.AvgPool1d(kernel_size [, {stride=kernel_size, padding=0, ceil_mode=false, count_include_pad=true}]): the average of
    -- each window, zeros in the padding included unless count_include_pad=false says otherwise.
    AvgPool1d = pool("AvgPool1d", 1, rille.avg_pool1d, { count_include_pad = true }),
    --- nn.AvgPool2d: likewise over the last two dimensions.
    AvgPool2d = pool("AvgPool2d", 2, rille.avg_pool2d, { count_include_pad = true }),
}
