--- rille.nn.normalization: BatchNorm1d, BatchNorm2d, LayerNorm, GroupNorm and RMSNorm.

local rille = require "rille"
local arguments = require "rille.nn.arguments"
local check = require "rille.check"
local module = require "rille.nn.module"

-- A weight of ones and, with_bias, a bias of zeros, that are learned; false where there are none.
local function add_affine(self, shape, dtype, affine, with_bias)
    self.weight = affine and rille.ones(shape, { dtype = dtype, requires_grad = true })
    self.bias = affine and with_bias and rille.zeros(shape, { dtype = dtype, requires_grad = true })
end

local function check_eps(argument, class_name, eps)
    if eps < 0 or eps ~= eps then
        check.argument(argument, class_name, "eps: 0 or more expected, got %s", check.value_text(eps))
    end
    return eps
end

---- By channel ---------------------------------------------------------------------------------------------------------

local LAYOUTS = { "[n, %d] or [n, %d, l]", "[n, %d, h, w]" }

local function batch_norm(class_name, axes)
    local class = module.Module:extend(class_name)

    function class:init(num_features, options)
        options = check.options(2, class_name, options, {
            eps = 1e-5, momentum = { "number", "boolean" }, affine = true, track_running_stats = true, dtype = "float32",
        })
        arguments.check_dtype(2, class_name, options.dtype)
        self.num_features = check.positive_integer(1, class_name, "num_features", num_features)
        self.eps = check_eps(2, class_name, options.eps)
        self.momentum = options.momentum == nil and 0.1 or options.momentum
        if self.momentum == true or self.momentum and not (self.momentum >= 0 and self.momentum <= 1) then
            check.argument(2, class_name, "momentum: a number from 0 to 1, or false, expected, got %s",
                check.value_text(self.momentum))
        end
        add_affine(self, { num_features }, options.dtype, options.affine, true)
        self.track_running_stats = options.track_running_stats
        if options.track_running_stats then
            self:register_buffer("running_mean", rille.zeros(num_features, { dtype = options.dtype }))
            self:register_buffer("running_var", rille.ones(num_features, { dtype = options.dtype }))
            self:register_buffer("num_batches_tracked", rille.tensor(0, { dtype = "int64" }))
        end
    end

    -- momentum, or what makes the running statistics the average of all batches: 1 over their number.
    local function next_momentum(self)
        self.num_batches_tracked:copy_(self.num_batches_tracked + 1)
        return self.momentum or 1 / self.num_batches_tracked:item()
    end

    function class:forward(x)
        arguments.check_input(self, x)
        local rank, n = x:dim(), self.num_features
        local fits = axes == 1 and (rank == 2 or rank == 3) or axes == 2 and rank == 4
        if not fits or x:size(2) ~= n then
            self:argument_error(1, "input is %s, expected " .. LAYOUTS[axes], check.shape_text(x:shape()), n, n)
        end
        local tracked = self.track_running_stats
        local training = self.training or not tracked
        if training and x:numel() < 2 * n then
            self:argument_error(1, "input is %s; statistics of a batch take two elements a channel",
                check.shape_text(x:shape()))
        end
        return rille.batch_norm(x, tracked and self.running_mean or nil, tracked and self.running_var or nil,
            self.weight or nil, self.bias or nil,
            { training = training, momentum = training and tracked and next_momentum(self) or 0, eps = self.eps })
    end

    function class:describe()
        return ("%d%s%s"):format(self.num_features, self.weight and "" or ", not affine",
            self.track_running_stats and "" or ", no running statistics")
    end

    return class
end

---- By sample ----------------------------------------------------------------------------------------------------------

-- Sizes as a list: 64 or { 4, 64 }.
local function sizes_of(class_name, sizes)
    sizes = type(sizes) == "table" and sizes or { sizes }
    local list = {}
    for i = 1, math.max(#sizes, 1) do
        list[i] = check.positive_integer(1, class_name, "normalized_shape", sizes[i])
    end
    return list
end

local function layer(class_name, f, default_eps, with_bias)
    local class = module.Module:extend(class_name)

    function class:init(normalized_shape, options)
        local defaults = { eps = default_eps, elementwise_affine = true, dtype = "float32" }
        if with_bias then
            defaults.bias = true
        end
        options = check.options(2, class_name, options, defaults)
        arguments.check_dtype(2, class_name, options.dtype)
        self.normalized_shape = sizes_of(class_name, normalized_shape)
        self.eps = options.eps and check_eps(2, class_name, options.eps) or false
        add_affine(self, self.normalized_shape, options.dtype, options.elementwise_affine, options.bias)
    end

    function class:forward(x)
        arguments.check_input(self, x)
        local shape, count = x:shape(), #self.normalized_shape
        local ending = table.move(shape, #shape - count + 1, #shape, 1, {})
        if #shape < count or check.shape_text(ending) ~= check.shape_text(self.normalized_shape) then
            self:argument_error(1, "input is %s, expected [*, %s]", check.shape_text(shape),
                table.concat(self.normalized_shape, ", "))
        end
        return f(x, self)
    end

    function class:describe()
        return ("%s%s"):format(table.concat(self.normalized_shape, "x"), self.weight and "" or ", not affine")
    end

    return class
end

local GroupNorm = module.Module:extend "GroupNorm"

function GroupNorm:init(num_groups, num_channels, options)
    options = check.options(3, "GroupNorm", options, { eps = 1e-5, affine = true, dtype = "float32" })
    arguments.check_dtype(3, "GroupNorm", options.dtype)
    self.num_groups = check.positive_integer(1, "GroupNorm", "num_groups", num_groups)
    self.num_channels = check.positive_integer(2, "GroupNorm", "num_channels", num_channels)
    if self.num_channels % self.num_groups ~= 0 then
        check.argument(2, "GroupNorm", "num_channels: a multiple of %d groups expected, got %d", num_groups, num_channels)
    end
    self.eps = check_eps(3, "GroupNorm", options.eps)
    add_affine(self, { num_channels }, options.dtype, options.affine, true)
end

function GroupNorm:forward(x)
    arguments.check_input(self, x)
    if x:dim() < 2 or x:size(2) ~= self.num_channels then
        self:argument_error(1, "input is %s, expected [n, %d, ...]", check.shape_text(x:shape()), self.num_channels)
    end
    return rille.group_norm(x, self.num_groups, self.weight or nil, self.bias or nil, { eps = self.eps })
end

function GroupNorm:describe()
    return ("%d groups of %d%s"):format(self.num_groups, self.num_channels // self.num_groups,
        self.weight and "" or ", not affine")
end

return {
    --- nn.BatchNorm1d(num_features [, {eps=1e-5, momentum=0.1, affine=true, track_running_stats=true, dtype="float32"}]):
    -- rille.batch_norm of x [n, num_features] or [n, num_features, l]: in training by the batch's mean and variance, by which
    -- running_mean and running_var are moved as well; in evaluation by these. momentum=false: they are the average over all
    -- batches. They and num_batches_tracked are buffers: a part of the state, not trained.
    BatchNorm1d = batch_norm("BatchNorm1d", 1),
    --- nn.BatchNorm2d: likewise of x [n, num_features, h, w].
    BatchNorm2d = batch_norm("BatchNorm2d", 2),
    --- nn.LayerNorm(normalized_shape [, {eps=1e-5, elementwise_affine=true, bias=true, dtype="float32"}]): rille.layer_norm
    -- over the last dimensions of x, of these sizes: a number or a list.
    LayerNorm = layer("LayerNorm", function(x, self)
        return rille.layer_norm(x, self.normalized_shape, self.weight or nil, self.bias or nil, { eps = self.eps })
    end, 1e-5, true),
    --- nn.RMSNorm(normalized_shape [, {eps, elementwise_affine=true, dtype="float32"}]): rille.rms_norm likewise; eps is the
    -- spacing of x's dtype at 1 where it is not given.
    RMSNorm = layer("RMSNorm", function(x, self)
        return rille.rms_norm(x, self.normalized_shape, self.weight or nil, { eps = self.eps or nil })
    end, { "number" }, false),
    --- nn.GroupNorm(num_groups, num_channels [, {eps=1e-5, affine=true, dtype="float32"}]): rille.group_norm of
    -- x [n, num_channels, ...].
    GroupNorm = GroupNorm,
}
