--- rille.flow.plan: which tensors of a pass a probe measures, and where in the list of them each layer's are. The passes of a
-- training loop are alike, so a plan is made once and filled again with the tensors of each.
--
-- calls: a list of { layer =, output =, input =, weight =, bias = (tensors, or false), flat = (the intervals in which elements
-- of the input are counted, or false) }.

local plan = {}

-- Puts a tensor on the list, once unless different intervals are counted in it, and returns its place; 0 for false.
local function add(list, tensor, within)
    if not tensor then
        return 0
    end
    local at = list.at[tensor]
    if at and (not within or not list.within[at] or list.within[at] == within) then
        list.within[at] = list.within[at] or within or false
        return at
    end
    at = #list.tensors + 1
    list.tensors[at], list.within[at], list.at[tensor] = tensor, within or false, at
    return at
end

--- A plan: lists with a place for each call, `layers`, and places in the list of tensors: output, input, weight, bias (0:
-- none); frozen (the weight requires no gradient), vector (it is no matrix); and for rille.measure_many, tensors and within.
function plan.new(calls)
    local list = { tensors = {}, within = {}, at = {} }
    local new = { layers = {}, output = {}, input = {}, weight = {}, bias = {}, frozen = {}, vector = {},
        tensors = list.tensors, within = list.within }
    for i, call in ipairs(calls) do
        local weight = call.weight
        new.layers[i] = call.layer
        new.input[i], new.output[i] = add(list, call.input, call.flat), add(list, call.output)
        new.weight[i], new.bias[i] = add(list, weight), add(list, call.bias)
        new.frozen[i], new.vector[i] = weight and not weight:requires_grad(), weight and weight:dim() < 2
    end
    return new
end

-- Are all tensors of the calls where the plan has them?
local function holds(self, calls)
    local tensors, within, output, input, bias = self.tensors, self.within, self.output, self.input, self.bias
    for i = 1, #calls do
        local call = calls[i]
        if tensors[output[i]] ~= call.output or tensors[input[i]] ~= call.input or tensors[bias[i]] ~= call.bias
            or call.flat and within[input[i]] ~= call.flat then
            return false
        end
    end
    return not tensors[0]
end

--- Puts the tensors of other calls in their places; false where these calls are not like those that the plan was made for.
function plan.fill(self, calls)
    local tensors, layers, weight = self.tensors, self.layers, self.weight
    local output, input, bias = self.output, self.input, self.bias
    if #calls ~= #layers then
        return false
    end
    tensors[0] = false
    for i = 1, #calls do
        local call = calls[i]
        local known = call.weight
        if call.layer ~= layers[i] or tensors[weight[i]] ~= known or known and known:requires_grad() == self.frozen[i] then
            return false
        end
        tensors[output[i]], tensors[input[i]], tensors[bias[i]] = call.output, call.input, call.bias
    end
    return holds(self, calls)
end

--- Lets go of what a pass made, which otherwise would live until the next one is measured.
function plan.empty(self)
    for i, at in ipairs(self.output) do
        self.tensors[at], self.tensors[self.input[i]] = false, false
    end
end

--- Of a plan that another takes the place of, what is left is what the passes recorded with it need: without the parameters,
-- which a net that replaces them has let go of.
function plan.retire(self)
    self.tensors, self.within, self.compared, self.copies = nil, nil, nil, nil
end

return plan
