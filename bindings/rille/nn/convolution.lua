--- rille.nn.convolution: Conv1d and Conv2d.

local rille = require "rille"
local arguments = require "rille.nn.arguments"
local check = require "rille.check"
local init = require "rille.nn.initialization"
local module = require "rille.nn.module"

local SIZES = { "number", "table" }
local LAYOUTS = { "[n, %d, l] or [%d, l]", "[n, %d, h, w] or [%d, h, w]" }

-- channels, which are to be a multiple of groups.
local function channels_of(argument, class_name, what, channels, groups)
    channels = check.positive_integer(argument, class_name, what, channels)
    if channels % groups ~= 0 then
        check.argument(argument, class_name, "%s: a multiple of %d groups expected, got %d", what, groups, channels)
    end
    return channels
end

local function convolution(class_name, axes)
    local class, f = module.Module:extend(class_name), axes == 1 and rille.conv1d or rille.conv2d

    function class:init(in_channels, out_channels, kernel_size, options)
        options = check.options(4, class_name, options,
            { stride = SIZES, padding = SIZES, dilation = SIZES, groups = 1, bias = true, dtype = "float32" })
        arguments.check_dtype(4, class_name, options.dtype)
        local groups = check.positive_integer(4, class_name, "groups", options.groups)
        self.in_channels = channels_of(1, class_name, "in_channels", in_channels, groups)
        self.out_channels = channels_of(2, class_name, "out_channels", out_channels, groups)
        self.kernel_size = arguments.sizes(3, class_name, "kernel_size", kernel_size, axes, 1)
        self.options = {
            stride = arguments.sizes(4, class_name, "stride", options.stride or 1, axes, 1),
            padding = arguments.sizes(4, class_name, "padding", options.padding or 0, axes, 0),
            dilation = arguments.sizes(4, class_name, "dilation", options.dilation or 1, axes, 1),
            groups = groups,
        }
        local shape, fan_in = { self.out_channels, self.in_channels // groups }, self.in_channels // groups
        for d, size in ipairs(self.kernel_size) do
            shape[2 + d], fan_in = size, fan_in * size
        end
        local weight = rille.zeros(shape, { dtype = options.dtype })
        self.weight = init.kaiming_uniform(weight, { a = math.sqrt(5) }):requires_grad(true)
        self.bias = false
        if options.bias then
            local bias, bound = rille.zeros(self.out_channels, { dtype = options.dtype }), 1 / math.sqrt(fan_in)
            self.bias = init.uniform(bias, -bound, bound):requires_grad(true)
        end
    end

    function class:forward(x)
        arguments.check_input(self, x)
        local rank = x:dim()
        if (rank ~= axes + 1 and rank ~= axes + 2) or x:size(-axes - 1) ~= self.in_channels then
            self:argument_error(1, "input is %s, expected " .. LAYOUTS[axes], check.shape_text(x:shape()), self.in_channels,
                self.in_channels)
        end
        return f(x, self.weight, self.bias or nil, self.options)
    end

    function class:describe()
        local options = self.options
        return ("%d -> %d, kernel %s%s%s%s%s%s"):format(self.in_channels, self.out_channels,
            arguments.sizes_text(self.kernel_size), arguments.sizes_unless("stride", options.stride, 1),
            arguments.sizes_unless("padding", options.padding, 0), arguments.sizes_unless("dilation", options.dilation, 1),
            arguments.sizes_unless("groups", { options.groups }, 1), self.bias and "" or ", no bias")
    end

    return class
end

return {
    --- nn.Conv1d(in_channels, out_channels, kernel_size [, {stride=1, padding=0, dilation=1, groups=1, bias=true,
    -- dtype="float32"}]): rille.conv1d with weight [out, in / groups, k] and bias [out] (or false), which start, as PyTorch's
    -- do, from U(-b, b), b = 1 / sqrt(in / groups k). x [n, in, l] or [in, l].
    Conv1d = convolution("Conv1d", 1),
    --- nn.Conv2d: likewise of x [n, in, h, w] or [in, h, w], weight [out, in / groups, kh, kw]; kernel_size, stride, padding
    -- and dilation are a number or a list {rows, columns}.
    Conv2d = convolution("Conv2d", 2),
}
