local rille = require "rille"
local modules = {}
for _, name in ipairs { "data", "flow", "nn", "optim", "plot", "train" } do
    modules[name] = require("rille." .. name)
end
setmetatable(modules, { __index = _G })

-- Runs the text as experiment.lua, where t is [[1, 2, 3], [4, 5, 6]], w a float64 leaf [1, 2], net a Linear(3, 2) and a Tanh,
-- sgd an optimiser of w; returns its error.
local function message_of(text)
    local t = rille.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
    local w = rille.tensor({ 1, 2 }, { dtype = "float64", requires_grad = true })
    local environment = setmetatable({
        rille = rille, t = t, w = w, nan = 0 / 0, inf = math.huge,
        net = modules.nn.Sequential { modules.nn.Linear(3, 2), modules.nn.Tanh() },
        sgd = modules.optim.SGD({ w }, { lr = 0.1 }),
    }, { __index = modules })
    local ok, message = pcall(assert(load(text, "@experiment.lua", "t", environment)))
    assert.is_false(ok, "an error was expected")
    return message
end

-- Lists of texts and their messages, the latter without "experiment.lua:1: ".
local function expect(name, cases)
    describe(name, function()
        for _, case in ipairs(cases) do
            it(case[1], function()
                assert.equal("experiment.lua:1: " .. case[2], message_of(case[1]))
            end)
        end
    end)
end

expect("choices", {
    { "t:clamp(2, 1)", "clamp: the bounds are 2 and 1; low <= high expected" },
    { "t:clamp(nan, 1)", "clamp: the bounds are nan and 1; low <= high expected" },
    { "t:clamp('low')", "bad argument #1 to 'clamp' (number or nil expected, got string)" },
    { "rille.clamp(1, 2)", "bad argument #1 to 'clamp' (tensor expected, got number)" },
    { "rille.where(true, t, t)", "bad argument #1 to 'where' (tensor expected, got boolean)" },
    { "rille.where(t, t)", "bad argument #3 to 'where' (tensor or number expected, got nil)" },
    { "rille.where(t, {1}, t)", "bad argument #2 to 'where' (tensor or number expected, got table)" },
    { "rille.where(t, rille.zeros(2), 1)",
        "where: shapes [2, 3] and [2] do not broadcast (3 against 2, dimension 1 from the end)" },
    { "rille.maximum(t, 'x')", "bad argument #2 to 'maximum' (tensor or number expected, got string)" },
    { "return t % rille.zeros(4)",
        "remainder: shapes [2, 3] and [4] do not broadcast (3 against 4, dimension 1 from the end)" },
})

expect("tables that make no tensor", {
    { "rille.tensor{{1,2},{1,2,3}}", "bad argument #1 to 'tensor' (ragged table: [2] has 3 elements, [1] has 2)" },
    { "rille.tensor{{1,2},{3}}", "bad argument #1 to 'tensor' (ragged table: [2] has 1 element, [1] has 2)" },
    { "rille.tensor{{1,2},3}", "bad argument #1 to 'tensor' (ragged table: [2] is a number, [1] has 2)" },
    { "rille.tensor{1,{2}}", "bad argument #1 to 'tensor' (ragged table: [2] has 1 element, [1] is a number)" },
    { "rille.tensor{{{1}},{{1,2}}}", "bad argument #1 to 'tensor' (ragged table: [2][1] has 2 elements, [1][1] has 1)" },
    { "rille.tensor{{1,2},{3,'x'}}", "bad argument #1 to 'tensor' ([2][2]: number expected, got string)" },
    { "rille.tensor{1,nil,3}", "bad argument #1 to 'tensor' ([2]: number expected, got nil)" },
    { "rille.tensor{1,t,3}", "bad argument #1 to 'tensor' ([2]: number expected, got tensor)" },
    { "rille.tensor{true,1}", "bad argument #1 to 'tensor' ([2]: boolean expected, got number)" },
    { "rille.tensor{1,2,dtype='int64'}",
        "bad argument #1 to 'tensor' (unexpected key 'dtype'; options go in a table of their own)" },
    { "rille.tensor{{1},{2,x=3}}", "bad argument #1 to 'tensor' ([2]: unexpected key 'x')" },
    { "rille.tensor({1,1.5},{dtype='int64'})", "bad argument #1 to 'tensor' ([2]: 1.5 has no integer representation)" },
    { "rille.tensor({nan},{dtype='int64'})", "bad argument #1 to 'tensor' ([1]: nan has no integer representation)" },
    { "rille.tensor(2^70,{dtype='int64'})", "bad argument #1 to 'tensor' (1.1805916207174e+21 has no integer representation)" },
    { "rille.tensor({256},{dtype='uint8'})",
        "bad argument #1 to 'tensor' ([1]: 256 is not in 0 ... 255, the range of uint8)" },
    { "local a = {} a[1] = a rille.tensor(a)",
        "bad argument #1 to 'tensor' (tables are nested more than 8 deep, the limit of a tensor's rank)" },
    { "rille.tensor()", "bad argument #1 to 'tensor' (table or number expected, got no value)" },
    { "rille.tensor('x')", "bad argument #1 to 'tensor' (table or number expected, got string)" },
    { "rille.tensor(t)", "bad argument #1 to 'tensor' (table or number expected, got tensor)" },
    { "rille.tensor({1},{dtype='int64',requires_grad=true})",
        "requires_grad: dtype is int64; float32 or float64 expected" },
})

expect("halves, pools and dimensions", {
    { "rille.glu(t)", "glu: dimension 2 of shape [2, 3] has the odd size 3; it is to be split in two halves" },
    { "t:reglu(2)", "reglu: dimension 2 of shape [2, 3] has the odd size 3; it is to be split in two halves" },
    { "t:glu(3)", "bad argument #1 to 'glu' (dimension 3 is out of range for shape [2, 3])" },
    { "rille.bilinear(4)", "bad argument #1 to 'bilinear' (tensor expected, got number)" },
    { "rille.prelu(rille.ones(2, 1), rille.ones(2))",
        "prelu: parameter weight is [2]; for x of shape [2, 1], [1] is expected" },
    { "rille.rrelu_training(t, nan, 1)",
        "rrelu_training: lower is nan, upper 1; two numbers with lower <= upper, a finite distance apart, expected" },
    { "t:maxout(2)", "maxout: dimension 2 of shape [2, 3] is not a multiple of k = 2" },
    { "rille.maxout(t, 0)", "bad argument #2 to 'maxout' (k is 0, expected 1 or more)" },
    { "rille.maxout(t)", "bad argument #2 to 'maxout' (k must be an integer, got nil)" },
    { "t:crelu(0)", "bad argument #1 to 'crelu' (dimension 0: dimensions start at 1)" },
    { "t:sparsemax(-3)", "bad argument #1 to 'sparsemax' (dimension -3 is out of range for shape [2, 3])" },
    { "rille.hardmax()", "bad argument #1 to 'hardmax' (tensor expected, got no value; methods are called with ':')" },
})

expect("joining and taking apart", {
    { "rille.cat(t)", "bad argument #1 to 'cat' (list of tensors expected, got tensor)" },
    { "rille.cat{}", "bad argument #1 to 'cat' (an empty list)" },
    { "rille.cat{t,5}", "bad argument #1 to 'cat' ([2]: tensor expected, got number)" },
    { "rille.cat({t,t},3)", "bad argument #2 to 'cat' (dimension 3 is out of range for tensors of shape [2, 3])" },
    { "rille.cat({t,w},2)", "cat: input 2 has shape [2], which differs from the first one's [2, 3] beyond dimension 2" },
    { "rille.stack({t,t},0)", "bad argument #2 to 'stack' (dimension 0: dimensions start at 1)" },
    { "rille.stack({t,t},4)",
        "bad argument #2 to 'stack' (dimension 4 is out of range for a stack of tensors of shape [2, 3])" },
    { "rille.stack{t,w}", "stack: input 2 has shape [2], the first one [2, 3]" },
    { "t:split(0)", "bad argument #1 to 'split' (size 0 is not positive)" },
    { "t:split({1,2})", "split: the sizes of 2 parts do not add up to 2, dimension 1 of shape [2, 3]" },
    { "t:split({2,-1,2},2)", "split: size -1 of part 2 is negative" },
    { "t:split{1,x=1}", "bad argument #1 to 'split' (unexpected key 'x' in the list)" },
    { "t:chunk(0)", "bad argument #1 to 'chunk' (0 chunks; 1 or more expected)" },
    { "t:chunk(2^40)", "bad argument #1 to 'chunk' (1099511627776 parts are too many)" },
    { "t:unbind(3)", "bad argument #1 to 'unbind' (dimension 3 is out of range for shape [2, 3])" },
    { "t:tile(-1)", "bad argument #1 to 'tile' (size -1 is negative)" },
    { "t:tile(2^62)", "tile: shape [2, 9223372036854775807] has more elements than memory can hold" },
    { "t:roll(1.5)", "bad argument #1 to 'roll' (shift 1.5 has no integer representation)" },
    { "t:pad(1)", "bad argument #1 to 'pad' (table of {before, after} expected, got number)" },
    { "t:pad{{1,2,3}}", "bad argument #1 to 'pad' ([1]: {before, after} or a number expected)" },
    { "t:pad{1,1,1}", "bad argument #1 to 'pad' (3 are too many dimensions for shape [2, 3])" },
    { "t:pad{{-2,-2}}", "pad: -2 before and -2 after dimension 2 of shape [2, 3] leave no size" },
    { "rille.meshgrid{w,t}", "meshgrid: input 2 has shape [2, 3]; rank 1 expected" },
    { "t:unsqueeze(4)", "bad argument #1 to 'unsqueeze' (dimension 4 is out of range for a new one in shape [2, 3])" },
    { "t:flatten(2,1)", "flatten: dimension 2 comes after 1" },
})

expect("picking and putting", {
    { "t:gather(1,{{3,1,1}})", "gather: index 3 at position [1, 1] is not in 1 ... 2" },
    { "t:gather(1,{1})", "gather: the index is int64 [1]; int64 of rank 2, that of shape [2, 3], expected" },
    { "t:gather(2,'x')", "bad argument #2 to 'gather' (tensor expected, got string)" },
    { "t:scatter(2,{{1},{1}})", "bad argument #3 to 'scatter' (tensor or number expected, got nil)" },
    { "t:scatter_add(2,{{1},{1}},rille.ones(2,1,1))",
        "scatter_add: the source of shape [2, 1, 1] does not fit the index, [2, 1]" },
    { "t:masked_select(w)", "masked_select: shapes [2, 3] and [2] do not broadcast (3 against 2, dimension 1 from the end)" },
    { "t:masked_fill(t:gt(1))", "bad argument #2 to 'masked_fill' (number or tensor expected, got nil)" },
    { "t:to('int64'):masked_fill(t:gt(1),1.5)",
        "bad argument #2 to 'masked_fill' (1.5 has no integer representation)" },
    { "rille.one_hot({1,3},2)", "one_hot: index 3 at position 2 is not in 1 ... 2" },
    { "rille.one_hot({0,1})", "one_hot: index 0 at position 1 is not in 1 ... 1" },
    { "rille.one_hot({1},-1)", "bad argument #2 to 'one_hot' (-1 classes; 0 or more expected)" },
    { "t:flip()", "bad argument #1 to 'flip' (dimension must be an integer, got nil)" },
    { "t:flip{1,1}", "bad argument #1 to 'flip' (dimension 1 is named twice)" },
    { "t:unfold(2,4)", "unfold: windows of 4 in steps of 1 along dimension 2 of shape [2, 3]; windows of 0 to 3 in steps of 1 "
        .. "or more expected" },
    { "w:triu()", "triu: shape [2]; rank 2 or more expected" },
    { "t:diagonal(0,1,-2)", "diagonal: dimension 1 of shape [2, 3] is named twice" },
    { "rille.diag(t:reshape(1,2,3))", "diag: shape [1, 2, 3]; a vector or a matrix expected" },
    { "w:dot(rille.ones(3))", "dot: shapes [2] and [3]; two vectors of one length expected" },
    { "t:outer(w)", "outer: shapes [2, 3] and [2]; two vectors expected" },
})

expect("sizes", {
    { "rille.zeros()", "bad argument #1 to 'zeros' (size must be an integer, got no value)" },
    { "rille.zeros(2,'3')", "bad argument #2 to 'zeros' (size must be an integer, got string)" },
    { "rille.zeros(2,1.5)", "bad argument #2 to 'zeros' (size 1.5 has no integer representation)" },
    { "rille.zeros(nan)", "bad argument #1 to 'zeros' (size nan has no integer representation)" },
    { "rille.zeros(2,inf)", "bad argument #2 to 'zeros' (size inf has no integer representation)" },
    { "rille.zeros(2,-1)", "bad argument #2 to 'zeros' (size -1 is negative)" },
    { "rille.zeros{2,-1}", "bad argument #1 to 'zeros' (size -1 is negative)" },
    { "rille.zeros(2^40,2^40)",
        "zeros: shape [1099511627776, 1099511627776] has more elements than memory can hold" },
    { "rille.zeros(1,1,1,1,1,1,1,1,1)", "bad argument #9 to 'zeros' (rank 9 is above the limit of 8)" },
    { "rille.zeros({2},3)", "bad argument #2 to 'zeros' (nothing expected after a table of sizes, got number)" },
    { "rille.zeros{2,3,dtype='float64'}", "bad argument #1 to 'zeros' (unexpected key 'dtype' in the list)" },
    { "t:reshape(4,-1)", "reshape: 6 elements of shape [2, 3] do not fit shape [4, -1]" },
    { "t:t():view(6)", "calling 'view' on bad self (tensor is not contiguous; use reshape)" },
    { "rille.full(2)", "bad argument #2 to 'full' (number expected, got nil)" },
    { "rille.arange(1)", "bad argument #2 to 'arange' (stop must be a number, got nil)" },
    { "rille.arange(1,2,0)", "bad argument #3 to 'arange' (step is zero)" },
    { "rille.arange(1,nan)", "bad argument #2 to 'arange' (stop must be finite, got nan)" },
    { "rille.randperm(-3)", "bad argument #1 to 'randperm' (size -3 is negative)" },
})

expect("options", {
    { "rille.zeros(2,{dtpye='float64'})", "bad argument #2 to 'zeros' (no option 'dtpye'; did you mean 'dtype'?)" },
    { "rille.zeros(2,{colour=1})", "bad argument #2 to 'zeros' (no option 'colour')" },
    { "rille.zeros(2,{dtype='flaot32'})", "bad argument #2 to 'zeros' (no dtype 'flaot32'; did you mean 'float32'?)" },
    { "rille.zeros(2,{dtype=3})", "bad argument #2 to 'zeros' (dtype must be a string, got number)" },
    { "rille.zeros(2,{requires_grad=1})",
        "bad argument #2 to 'zeros' (option 'requires_grad' must be a boolean, got number)" },
    { "rille.tensor({1},'float64')", "bad argument #2 to 'tensor' (table of options expected, got string)" },
    { "rille.optimizer_step('sgd',{momentum=0.9},{w},{},{0})",
        "bad argument #2 to 'optimizer_step' (option 'lr' is missing)" },
    { "rille.clip_grad_norm(w,1,{norm=2})", "bad argument #3 to 'clip_grad_norm' (no option 'norm')" },
})

expect("optimisers", {
    { "rille.optimizer_step('adan',{lr=1},{w},{},{0})",
        "bad argument #1 to 'optimizer_step' (no optimiser 'adan'; did you mean 'adam'?)" },
    { "rille.optimizer_step(1)", "bad argument #1 to 'optimizer_step' (name of an optimiser expected, got number)" },
    { "rille.optimizer_step('sgd')", "bad argument #2 to 'optimizer_step' (table of options expected, got nil)" },
    { "rille.optimizer_step('sgd',{lr='x'},{w},{},{0})",
        "bad argument #2 to 'optimizer_step' (option 'lr' must be a number, got string)" },
    { "rille.optimizer_step('adam',{lr=1,betas=0.9},{w},{},{0})",
        "bad argument #2 to 'optimizer_step' (option 'betas' must be a table of two numbers, got number)" },
    { "rille.optimizer_step('adam',{lr=1,betas={0.9}},{w},{},{0})",
        "bad argument #2 to 'optimizer_step' (betas[2] must be a number, got nil)" },
    { "rille.optimizer_step('adam',{lr=1},{w},{},{0})",
        "bad argument #4 to 'optimizer_step' (list of 2 tensors expected, 2 for each parameter, got 0)" },
    { "rille.optimizer_step('sgd',{lr=1},{w},{},0)",
        "bad argument #5 to 'optimizer_step' (list of the parameters' numbers of steps expected, got number)" },
    { "rille.optimizer_step('sgd',{lr=1},{w},{},{})",
        "bad argument #5 to 'optimizer_step' (list of 1 expected, as there are parameters, got 0)" },
    { "rille.optimizer_step('sgd',{lr=1},{w},{},{'x'})",
        "bad argument #5 to 'optimizer_step' (number of steps must be an integer, got string)" },
    { "rille.optimizer_step('sgd',{lr=-1},{w},{},{0})", "sgd: learning_rate is -1; a finite number >= 0 expected" },
    { "rille.optimizer_states('lion',{lr=1,betas={1,0}})", "lion: beta1 is 1; at least 0 and below 1 expected" },
    { "rille.optimizer_step('sgd',{lr=1},{t:t()},{},{0})", "sgd: parameter 1 of shape [3, 2] is not contiguous" },
    { "rille.clip_grad_norm(w)", "bad argument #2 to 'clip_grad_norm' (max_norm must be a number, got nil)" },
    { "rille.clip_grad_norm({w,1},1)", "bad argument #1 to 'clip_grad_norm' ([2]: tensor expected, got number)" },
    { "rille.clip_grad_norm(w,nan)",
        "clip_grad_norm: max_norm nan and norm_type 2; max_norm >= 0 and norm_type > 0 expected" },
    { "w.grad=rille.tensor({1,inf},{dtype='float64'}); rille.clip_grad_norm(w,1,{error_if_nonfinite=true})",
        "clip_grad_norm: the total norm is inf: so is the gradient of parameter 1" },
    { "rille.clip_grad_value(w,-1)", "clip_grad_value: the value is -1; 0 or more expected" },
    { "rille.set_rng_state(1)", "bad argument #1 to 'set_rng_state' (table of rille.rng_state expected, got number)" },
    { "rille.set_rng_state{seed=1}", "bad argument #1 to 'set_rng_state' ('counter' is missing)" },
    { "rille.set_rng_state{seed=1,counter=0.5}",
        "bad argument #1 to 'set_rng_state' (counter 0.5 has no integer representation)" },
})

expect("dimensions and indices", {
    { "t:sum(0)", "bad argument #1 to 'sum' (dimension 0: dimensions start at 1)" },
    { "rille.sum(t,3)", "bad argument #2 to 'sum' (dimension 3 is out of range for shape [2, 3])" },
    { "t:sum(-3)", "bad argument #1 to 'sum' (dimension -3 is out of range for shape [2, 3])" },
    { "t:sum{1,1}", "bad argument #1 to 'sum' (dimension 1 is named twice)" },
    { "t:sum('1')", "bad argument #1 to 'sum' (dimension must be an integer, got string)" },
    { "t:norm('x')", "bad argument #1 to 'norm' (p must be a number, got string)" },
    { "t:norm{1,2}", "bad argument #1 to 'norm' (p must be a number, got table)" },
    { "t:norm(nan)", "norm: p is nan; a number or an infinity expected" },
    { "t:std(1,{corection=0})", "bad argument #2 to 'std' (no option 'corection'; did you mean 'correction'?)" },
    { "t:var{correction=true}", "bad argument #1 to 'var' (option 'correction' must be a number, got boolean)" },
    { "t:sum{correction=1}", "bad argument #1 to 'sum' (no option 'correction')" },
    { "rille.zeros(0):amax()", "amax: of no elements, shape [0], there is none" },
    { "t:any(3)", "bad argument #1 to 'any' (dimension 3 is out of range for shape [2, 3])" },
    { "t:cumsum()", "bad argument #1 to 'cumsum' (dimension must be an integer, got nil)" },
    { "rille.zeros(3):qr()", "qr: shape [3]; [..., m, n] expected" },
    { "rille.svd(rille.full({2,2,3},0/0))", "svd: matrix 1 of 2: it holds a NaN or an infinity" },
    { "rille.tensor{{1,math.huge}}:svdvals()", "svdvals: it holds a NaN or an infinity" },
    { "rille.qr{1}", "bad argument #1 to 'qr' (tensor expected, got table)" },
    { "t:sort(3)", "bad argument #1 to 'sort' (dimension 3 is out of range for shape [2, 3])" },
    { "t:sort(1,2)", "bad argument #2 to 'sort' (descending must be a boolean, got number)" },
    { "t:argsort{ascending=true}",
        "bad argument #1 to 'argsort' (no option 'ascending'; did you mean 'descending'?)" },
    { "t:topk(4)", "topk: k is 4; 0 to 3 expected, the size of dimension 2 of shape [2, 3]" },
    { "t:topk(1.5)", "bad argument #1 to 'topk' (k 1.5 has no integer representation)" },
    { "t:topk(1,1,true)", "bad argument #3 to 'topk' (table of options expected, got boolean)" },
    { "t:size()", "bad argument #1 to 'size' (dimension must be an integer, got no value)" },
    { "t:permute(1)", "bad argument #1 to 'permute' (2 dimensions expected for shape [2, 3], got 1)" },
    { "rille.ones(2):t()", "calling 't' on bad self (a matrix expected, got shape [2])" },
    { "return t[0]", "index 0: indices start at 1" },
    { "return t[3]", "index 3 is out of range for dimension 1 of size 2" },
    { "return t[-3]", "index -3 is out of range for dimension 1 of size 2" },
    { "return t[1][4]", "index 4 is out of range for dimension 1 of size 3" },
    { "return t[1.5]", "index 1.5 has no integer representation" },
    { "return t[nan]", "index nan has no integer representation" },
    { "return t[true]", "a tensor is indexed by an integer, a table or a tensor, got boolean" },
    { "return t[{1,2,3}]", "3 are too many indices for shape [2, 3]" },
    { "return t[{1,4}]", "index 4 is out of range for dimension 2 of size 3" },
    { "return t[{1,{3,2}}]", "index 2: the range from 3 ends before it starts, at 2" },
    { "return t[{1,{1,2,3,4}}]", "index 2: a range is {first, last} or {first, last, step}, {} for all" },
    { "return t[{1,{1,2,0}}]", "index 2: a step of 0 leads nowhere" },
    { "return t[{1,{1,2,-1}}]", "index 2: the range from 1 in steps of -1 ends before it starts, at 2" },
    { "return t[{1,{1,2,0.5}}]", "step 0.5 has no integer representation" },
    { "return t[rille.tensor{1.5}]", "index[1]: 1.5 has no integer representation" },
    { "return t[rille.tensor{0}]", "index: 0 is not in 1 ... 2, or -1 ... -2 from the end" },
    { "return t[rille.tensor{true}]",
        "index: the mask that is entry 1 has shape [1]; it is to have that of dimensions from 1 on of [2, 3]" },
    { "return t[{t:gt(3),1}]", "3 are too many indices for shape [2, 3]" },
    { "w:free() return t[w]", "the index is a tensor that was freed" },
    { "t[t:gt(3)] = rille.ones(2)",
        "assignment: shapes [2] and [3] do not broadcast (2 against 3, dimension 1 from the end)" },
    { "t[t:gt(3)] = 'x'", "number or tensor expected as the value, got string" },
    { "t[rille.tensor{3}] = 1", "index: 3 is not in 1 ... 2, or -1 ... -2 from the end" },
    { "local y = w * 2 y[w:gt(1)] = 3", "a write into the result of a recorded operation would make its gradient wrong; "
        .. "write inside rille.no_grad or into t:detach():clone()" },
    { "t:expand(2,2,3)[rille.tensor{1}] = 1", "assignment: elements of the target, a view of shape [2, 2, 3], are one in "
        .. "memory; write into a clone of it" },
    { "return t[{1,'x'}]", "index must be an integer, got string" },
    { "return t[{x=1}]", "unexpected key 'x' in an index" },
    { "return rille.tensor(1)[1]", "a tensor of rank 0 has no dimension to index; t:item() is its number" },
    { "return #rille.tensor(1)", "a tensor of rank 0 has no length" },
    { "t:select(1,0)", "bad argument #2 to 'select' (index 0: indices start at 1)" },
    { "t:narrow(2,2,3)", "bad argument #3 to 'narrow' (length 3 is not in 0 ... 2, the rest of dimension 2 of size 3)" },
    { "t:index_select(1,{1,1.5})", "bad argument #2 to 'index_select' ([2]: 1.5 has no integer representation)" },
    { "t:index_select(1,{3})", "index_select: index 3 at position 1 is not in 1 ... 2" },
    { "t[1] = 'x'", "number or tensor expected as the value, got string" },
    { "t[1] = nil", "number or tensor expected as the value, got nil" },
    { "t[4] = 1", "index 4 is out of range for dimension 1 of size 2" },
    { "rille.zeros(2,{dtype='int64'})[1] = 1.5", "1.5 has no integer representation" },
    { "t:item()", "item: one element expected, got shape [2, 3]" },
})

expect("labels", {
    { "t:cross_entropy{0,1}", "cross_entropy: label 0 at position 1; labels start at 1 and end at 3" },
    { "t:cross_entropy{1,4}", "cross_entropy: label 4 at position 2; labels start at 1 and end at 3" },
    { "t:cross_entropy(rille.tensor{1,1.5})",
        "bad argument #1 to 'cross_entropy' (label[2]: 1.5 has no integer representation)" },
    { "t:cross_entropy(rille.tensor{nan,1})",
        "bad argument #1 to 'cross_entropy' (label[1]: nan has no integer representation)" },
    { "t:cross_entropy{true,false}", "bad argument #1 to 'cross_entropy' ([1]: number expected, got boolean)" },
    { "t:cross_entropy(rille.tensor{true,false})",
        "bad argument #1 to 'cross_entropy' (labels are integers, got a tensor of bool)" },
    { "t:cross_entropy('x')", "bad argument #1 to 'cross_entropy' (tensor expected, got string)" },
})

expect("losses", {
    { "t:mse_loss(rille.zeros(2))", "mse_loss: input is [2, 3], target is [2], which does not broadcast to it" },
    { "t:mse_loss(1)", "bad argument #1 to 'mse_loss' (tensor expected, got number)" },
    { "rille.l1_loss(t, t, {reduction='batchmean'})",
        "bad argument #3 to 'l1_loss' (option 'reduction' must be 'mean', 'sum' or 'none', got 'batchmean')" },
    { "rille.kl_div(t, t, {reduction=1})",
        "bad argument #3 to 'kl_div' (option 'reduction' must be 'mean', 'sum', 'none' or 'batchmean', got number)" },
    { "rille.huber_loss(t, t, {beta=1})", "bad argument #3 to 'huber_loss' (no option 'beta')" },
    { "rille.huber_loss(t, t, {delta=0})", "huber_loss: delta is 0; more than 0 expected" },
    { "t:smooth_l1_loss(t, {beta=-1})", "smooth_l1_loss: beta is -1; 0 or more expected" },
    { "t:bce_loss(t)", "bce_loss: element 2 of the input is 2; probabilities, 0 to 1, expected: "
        .. "bce_with_logits takes logits" },
    { "t:bce_with_logits(t, {pos_weight=3})",
        "bad argument #2 to 'bce_with_logits' (option 'pos_weight' must be a tensor, got number)" },
    { "t:nll_loss({1,2}, {label_smoothing=0.1})", "bad argument #2 to 'nll_loss' (no option 'label_smoothing')" },
    { "t:nll_loss{1,4}", "nll_loss: label 4 at position 2; labels start at 1 and end at 3" },
    { "t:cross_entropy({1,2}, {label_smoothing=2})",
        "cross_entropy: label_smoothing is 2; 0 or more and less than 1 expected" },
    { "t:cross_entropy({1,2}, {weight=rille.ones(2)})",
        "cross_entropy: weight is [2]; [3] expected, one for each class" },
    { "t:cross_entropy({1,2}, {ignore_index=0.5})",
        "bad argument #2 to 'cross_entropy' (option 'ignore_index' 0.5 has no integer representation)" },
})

expect("arguments of another type", {
    { "rille.matmul(t,5)", "bad argument #2 to 'matmul' (tensor expected, got number)" },
    { "t:matmul()", "bad argument #1 to 'matmul' (tensor expected, got nil)" },
    { "t:matmul(io.stdout)", "bad argument #1 to 'matmul' (tensor expected, got FILE*)" },
    { "t.shape()", "bad argument #1 to 'shape' (tensor expected, got no value; methods are called with ':')" },
    { "t.sum()", "bad argument #1 to 'sum' (tensor expected, got no value; methods are called with ':')" },
    { "rille:sum()", "calling 'sum' on bad self (tensor expected, got table)" },
    { "return t + 'x'", "bad argument #2 to 'add' (tensor or number expected, got string)" },
    { "return {} * t", "bad argument #1 to 'mul' (tensor or number expected, got table)" },
    { "return rille.add(1,2)", "bad argument #1 to 'add' (tensor expected, got number)" },
    { "return t < t", "tensors are compared by a:lt(b), a:le(b), a:gt(b) and a:ge(b), element by element" },
    { "return t .. 'x'", "attempt to concatenate a tensor value (global 't')" },
    { "t:to('int')", "bad argument #1 to 'to' (no dtype 'int')" },
    { "rille.no_grad(5)", "bad argument #1 to 'no_grad' (function expected, got number)" },
    { "rille.scope()", "bad argument #1 to 'scope' (function expected, got no value)" },
    { "rille.grad({}, w)", "bad argument #1 to 'grad' (an empty list)" },
    { "rille.grad(w, {1})", "bad argument #2 to 'grad' ([1]: tensor expected, got number)" },
    { "rille.grad(w, w, {seeds={}})", "bad argument #3 to 'grad' (option 'seeds': 1 expected, as there are outputs, got 0)" },
    { "rille.gradcheck(function() end, w)", "bad argument #1 to 'gradcheck' (the function must return a tensor, got nil)" },
    { "rille.manual_seed(1.5)", "bad argument #1 to 'manual_seed' (seed 1.5 has no integer representation)" },
    { "rille.threads(0)", "threads: 0 is not in 1 ... 1024" },
    { "rille.read_idx(5)", "bad argument #1 to 'read_idx' (path expected, got number)" },
    { "rille.read_idx('a\\0b')", "bad argument #1 to 'read_idx' (a path contains no zero byte)" },
    { "w.grad = 5", "grad is a tensor or nil, got number" },
    { "getmetatable(t).__gc()", "bad argument #1 to 'gc' (tensor expected, got no value; methods are called with ':')" },
})

expect("shapes and dtypes that do not fit", {
    { "return t + rille.ones(2)",
        "add: shapes [2, 3] and [2] do not broadcast (3 against 2, dimension 1 from the end)" },
    { "rille.ones(2):lt(rille.ones(3))",
        "lt: shapes [2] and [3] do not broadcast (2 against 3, dimension 1 from the end)" },
    { "t[1] = rille.ones(2, 3)", "assignment: shape [2, 3] does not fit into [3]" },
    { "t:copy_(rille.ones(1, 2, 3))", "copy_: shape [1, 2, 3] does not fit into [2, 3]" },
    { "rille.full(2^60, 1)", "full: shape [1152921504606846976] has more elements than memory can hold" },
    { "rille.matmul(t,t)", "matmul: shapes [2, 3] and [2, 3]: 3 columns against 2 rows" },
    { "w.grad = rille.ones(3)", "gradient: float32 [3] given for a tensor that is float64 [2]" },
    { "t:backward()", "backward: nothing that the output was computed from requires a gradient, "
        .. "or gradients were switched off" },
    { "rille.relu(t,{out=rille.zeros(2)})", "bad argument #2 to 'relu' (option 'out' is [2], expected [2, 3])" },
    { "rille.relu(t,{out=t:to'float64'})", "bad argument #2 to 'relu' (option 'out' is float64, expected float32)" },
    { "rille.relu(t:t(),{out=rille.zeros(2,3):t()})", "bad argument #2 to 'relu' (option 'out' is not contiguous)" },
    { "rille.relu(w,{out=w})",
        "bad argument #2 to 'relu' (option 'out' cannot be recorded for a gradient; use it inside rille.no_grad)" },
    { "rille.relu(t,{out=5})", "bad argument #2 to 'relu' (option 'out' must be a tensor, got number)" },
    { "local y = w * 2 y[1] = 3", "a write into the result of a recorded operation would make its gradient wrong; "
        .. "write inside rille.no_grad or into t:detach():clone()" },
    { "local y = rille.zeros(2) y:copy_(w)", "a write is not recorded, so its source would lose its gradient; "
        .. "write source:detach() or inside rille.no_grad" },
})

expect("parameters of activations", {
    { "t:leaky_relu(1,2)", "bad argument #2 to 'leaky_relu' ('leaky_relu' has 1 parameter)" },
    { "t:tanh(1)", "bad argument #1 to 'tanh' ('tanh' has 0 parameters)" },
    { "t:leaky_relu{slope=1}", "bad argument #1 to 'leaky_relu' (no option 'slope')" },
    { "t:leaky_relu{negative_slop=1}",
        "bad argument #1 to 'leaky_relu' (no option 'negative_slop'; did you mean 'negative_slope'?)" },
    { "t:leaky_relu{negative_slope='x'}",
        "bad argument #1 to 'leaky_relu' (option 'negative_slope' must be a number, got string)" },
    { "t:leaky_relu(nan)", "leaky_relu: parameter negative_slope is nan; allowed are -inf to inf" },
    { "rille.derivative('rleu',t)", "bad argument #1 to 'derivative' (no activation 'rleu'; did you mean 'relu'?)" },
    { "rille.derivative('relu',t,3)", "bad argument #3 to 'derivative' (order 3 is not in 0 ... 2)" },
    { "rille.derivative(5,t)", "bad argument #1 to 'derivative' (name or entry of an activation expected, got number)" },
    { "return rille.activations.rleu", "no activation 'rleu'; did you mean 'relu'?" },
    { "return rille.activations.photosynthesis", "no activation 'photosynthesis'" },
    { "rille.activations.x = 1", "rille.activations is read-only" },
})

expect("modules", {
    { "nn.Linear()", "bad argument #1 to 'Linear' (in_features: positive integer expected, got nil)" },
    { "nn.Linear(0, 3)", "bad argument #1 to 'Linear' (in_features: positive integer expected, got 0)" },
    { "nn.Linear(3, 2.5)", "bad argument #2 to 'Linear' (out_features: positive integer expected, got 2.5)" },
    { "nn.Linear(3, 2, {bais=false})", "bad argument #3 to 'Linear' (unknown option 'bais'; did you mean 'bias'?)" },
    { "nn.Linear(3, 2, {dtype='int64'})", "bad argument #3 to 'Linear' (dtype: 'float32' or 'float64' expected, got 'int64')" },
    { "nn.Linear(2, 2)(t)", "bad argument #1 to 'Linear' (input is [2, 3], expected [*, 2])" },
    { "nn.Linear(3, 2)(5)", "bad argument #1 to 'Linear' (tensor expected, got number)" },
    { "nn.Linear(3, 2)(t:to'int64')", "bad argument #1 to 'Linear' (input is int64, expected float32 or float64)" },
    { "nn.Linear(3, 2)(t:to'float64')", "linear: input is float64, weight float32, bias float32; one floating dtype expected" },
    { "nn.Linea(3, 2)", "no 'Linea' in rille.nn; did you mean 'Linear'?" },
    { "nn.Sequential{nn.Linear(3, 2), 5}", "bad argument #1 to 'Sequential' ([2]: module expected, got number)" },
    { "nn.Sequential{nn.Linear(3, 2), nn.Tanh(), nn.Linear(5, 1)}(t)",
        "bad argument #1 to 'Linear' (net[3]: input is [2, 2], expected [*, 5])" },
    { "nn.Sequential(5)", "bad argument #1 to 'Sequential' (table of modules expected, got number)" },
    { "nn.Sequential({nn.Tanh()}, nn.Tanh())", "bad argument #2 to 'Sequential' (nothing expected, got Tanh)" },
    { "nn.Sequential{nn.Tanh(), last=nn.Tanh()}",
        "bad argument #1 to 'Sequential' ([\"last\"]: a list of modules has no such place)" },
    { "nn.Sequential{[0]=nn.Tanh()}", "bad argument #1 to 'Sequential' ([0]: a list of modules has no such place)" },
    { "nn.Flatten(0)", "bad argument #1 to 'Flatten' (nothing expected, got number)" },
    { "nn.Linear(3, 2, {}, true)", "bad argument #4 to 'Linear' (nothing expected, got boolean)" },
    { "nn.Dropout(0.5, true)", "bad argument #2 to 'Dropout' (nothing expected, got boolean)" },
    { "nn.Softmax(1, 2)", "bad argument #2 to 'Softmax' (nothing expected, got number)" },
    { "nn.LSTM(3, 4, {forget_bias=0/0})", "bad argument #3 to 'LSTM' (forget_bias: finite number expected, got nan)" },
    { "nn.Linear(3, 2):train('x')", "bad argument #1 to 'train' (boolean expected, got string)" },
    { "nn.Linear(3, 2):eval(false)", "bad argument #1 to 'eval' (nothing expected, got boolean)" },
    { "return nn.Linear(3, 2).wieght", "no 'wieght' in Linear; did you mean 'weight'?" },
    { "nn.Conv2d(3, 4)", "bad argument #3 to 'Conv2d' (kernel_size: integer of 1 or more, or a list of 2, expected, got nil)" },
    { "nn.Conv2d(3, 4, 3, {groups=2})", "bad argument #1 to 'Conv2d' (in_channels: a multiple of 2 groups expected, got 3)" },
    { "nn.Conv2d(3, 4, 3, {stride=0})",
        "bad argument #4 to 'Conv2d' (stride: integer of 1 or more, or a list of 2, expected, got 0)" },
    { "nn.Conv2d(3, 4, {1, 2, 3})",
        "bad argument #3 to 'Conv2d' (kernel_size: integer of 1 or more, or a list of 2, expected, got a list of 3)" },
    { "nn.Conv2d(3, 4, 3)(t)", "bad argument #1 to 'Conv2d' (input is [2, 3], expected [n, 3, h, w] or [3, h, w])" },
    { "nn.Conv1d(3, 4, 3)(rille.ones(1, 2, 5))",
        "bad argument #1 to 'Conv1d' (input is [1, 2, 5], expected [n, 3, l] or [3, l])" },
    { "nn.MaxPool2d()",
        "bad argument #1 to 'MaxPool2d' (kernel_size: integer of 1 or more, or a list of 2, expected, got nil)" },
    { "nn.MaxPool2d(2, {padding=2})(rille.ones(1, 1, 4, 4))",
        "bad argument #2 to 'MaxPool2d' (padding: half of the kernel, 2, at most expected, got 2)" },
    { "nn.AvgPool1d(5)(t)", "avg_pool1d: input is [2, 3]: a kernel of 5 does not fit into dimension 2, padded to 3" },
    { "nn.BatchNorm1d(3)(rille.ones(2, 4))",
        "bad argument #1 to 'BatchNorm1d' (input is [2, 4], expected [n, 3] or [n, 3, l])" },
    { "nn.BatchNorm1d(3)(rille.ones(1, 3))",
        "bad argument #1 to 'BatchNorm1d' (input is [1, 3]; statistics of a batch take two elements a channel)" },
    { "nn.BatchNorm2d(3)(t)", "bad argument #1 to 'BatchNorm2d' (input is [2, 3], expected [n, 3, h, w])" },
    { "nn.LayerNorm(4)(t)", "bad argument #1 to 'LayerNorm' (input is [2, 3], expected [*, 4])" },
    { "nn.LayerNorm{}", "bad argument #1 to 'LayerNorm' (normalized_shape: positive integer expected, got nil)" },
    { "nn.GroupNorm(2, 3)", "bad argument #2 to 'GroupNorm' (num_channels: a multiple of 2 groups expected, got 3)" },
    { "nn.RMSNorm(3, {eps='x'})", "bad argument #2 to 'RMSNorm' (option 'eps': number expected, got string)" },
    { "nn.Dropout(1.5)", "bad argument #1 to 'Dropout' (p: probability from 0 to 1 expected, got 1.5)" },
    { "nn.Dropout('x')", "bad argument #1 to 'Dropout' (p: probability from 0 to 1 expected, got string)" },
    { "nn.Embedding(3)", "bad argument #2 to 'Embedding' (embedding_dim: positive integer expected, got nil)" },
    { "nn.Embedding(3, 2)(t)", "embedding: index 4 at position [2, 1] is not in 1 ... 3" },
    { "nn.Embedding(3, 2)(rille.tensor({4}, {dtype='int64'}))", "embedding: index 4 at position 1 is not in 1 ... 3" },
    { "nn.LSTM(3)", "bad argument #2 to 'LSTM' (hidden_size: positive integer expected, got nil)" },
    { "nn.LSTM(3, 4, {num_layers=0})", "bad argument #3 to 'LSTM' (num_layers: positive integer expected, got 0)" },
    { "nn.RNN(3, 4, {nonlinearity='gelu'})", "bad argument #3 to 'RNN' (nonlinearity: 'tanh' or 'relu' expected, got 'gelu')" },
    { "nn.Linear(3, 2):zero_gard()", "no 'zero_gard' in Linear; did you mean 'zero_grad'?" },
    { "nn.LSTM(3, 4)(t)", "bad argument #1 to 'LSTM' (input is [2, 3], expected [steps, n, 3])" },
    { "nn.GRU(3, 4)(rille.ones(2, 1, 5))", "bad argument #1 to 'GRU' (input is [2, 1, 5], expected [steps, n, 3])" },
    { "nn.Residual(5)", "bad argument #1 to 'Residual' (module expected, got number)" },
    { "nn.Residual(nn.Linear(3, 2))(t)",
        "bad argument #1 to 'Residual' (the input is [2, 3], inner(x) is [2, 2]: add nn.Linear or nn.Conv2d "
            .. "as a second argument, which gives the input that shape)" },
    { "nn.activation(5)", "bad argument #1 to 'activation' (name of an activation expected, got number)" },
    { "nn.activation('rleu')", "no activation 'rleu'; did you mean 'relu'?" },
    { "nn.LeakyReLU(1, 2)", "bad argument #2 to 'LeakyReLU' (at most 1 parameter expected)" },
    { "nn.LeakyReLU{slope=1}", "bad argument #1 to 'LeakyReLU' (unknown option 'slope')" },
    { "nn.init.xavier_normal(5)", "bad argument #1 to 'xavier_normal' (tensor of float32 or float64 expected, got number)" },
    { "nn.init.kaiming_uniform(w)",
        "bad argument #1 to 'kaiming_uniform' (fan_in and fan_out need two dimensions or more, got [2])" },
    { "nn.init.xavier_normal(t, {gain=-1})",
        "bad argument #2 to 'xavier_normal' (gain: finite number >= 0 expected, got -1)" },
    { "nn.init.xavier_uniform(t, {gain=0/0})",
        "bad argument #2 to 'xavier_uniform' (gain: finite number >= 0 expected, got nan)" },
    { "nn.init.uniform(t, 1, 0)", "bad argument #3 to 'uniform' (high is 0, expected low, 1, or more)" },
    { "nn.init.uniform(t, 0/0)", "bad argument #2 to 'uniform' (finite number expected, got nan)" },
    { "nn.init.uniform(t, 0, math.huge)", "bad argument #3 to 'uniform' (finite number expected, got inf)" },
    { "nn.init.normal(t, 0, -1)", "bad argument #3 to 'normal' (std is -1, expected 0 or more)" },
    { "nn.init.normal(t, 0/0)", "bad argument #2 to 'normal' (finite number expected, got nan)" },
    { "nn.init.sparse(t, 0.5, -1)", "bad argument #3 to 'sparse' (std is -1, expected 0 or more)" },
    { "nn.init.orthogonal(t, {gain=0/0})", "bad argument #2 to 'orthogonal' (gain: finite number expected, got nan)" },
    { "nn.init.constant(t)", "bad argument #2 to 'constant' (number expected, got nil)" },
    { "nn.init.orthogonal(w)", "bad argument #1 to 'orthogonal' (two dimensions or more expected, got [2])" },
    { "nn.init.sparse(t, 2)", "bad argument #2 to 'sparse' (a share from 0 to 1 expected, got 2)" },
    { "nn.init.calculate_gain('rleu')",
        "bad argument #1 to 'calculate_gain' (no gain is known for 'rleu'; did you mean 'relu'?)" },
    { "nn.Linear(3, 2):to('int64')", "bad argument #1 to 'to' (\"float32\" or \"float64\" expected, got \"int64\")" },
    { "nn.Linear(3, 2).parameters()", "bad self for 'parameters' (module expected, got nil; methods are called with ':')" },
    { "nn.Linear(3, 2):load_state(5)", "bad argument #1 to 'load_state' (table of tensors expected, got number)" },
    { "nn.Linear(3, 2):load_state{weight=t}", "bad argument #1 to 'load_state' (1 difference: missing: 'bias' [2])" },
    { "nn.Linear(3, 2):load_state{weight=t, bias=rille.ones(3)}",
        "bad argument #1 to 'load_state' (1 difference: 'bias' is [3], expected [2])" },
})

expect("optimisers of rille.optim", {
    { "optim.SGD({}, {lr=1})", "bad argument #1 to 'SGD' (the list of parameters is empty)" },
    { "optim.SGD({w})", "bad argument #2 to 'SGD' (lr is missing: write optim.SGD(parameters, { lr = 0.1 }))" },
    { "optim.SGD({w}, {lr=1}, true)", "bad argument #3 to 'SGD' (nothing expected, got boolean)" },
    { "optim.SGD({w}, {lr=1}):step(print)", "bad argument #1 to 'step' (nothing expected, got function)" },
    { "optim.StepLR(optim.SGD({w}, {lr=1}), {step_size=1}, 5)", "bad argument #3 to 'StepLR' (nothing expected, got number)" },
    { "optim.SGD({w}, 0.1)", "bad argument #2 to 'SGD' (table of options expected, got number)" },
    { "optim.SGD({w, 5}, {lr=1})", "bad argument #1 to 'SGD' ([2]: tensor expected, got number)" },
    { "optim.SGD({w, w}, {lr=1})", "bad argument #1 to 'SGD' ([2]: the same parameter as [1]; it would be moved twice)" },
    { "optim.SGD({w * 2}, {lr=1})", "bad argument #1 to 'SGD' ([1]: a leaf tensor expected, not what an operation gave)" },
    { "optim.SGD({t}, {lr=1})",
        "bad argument #1 to 'SGD' (none of these tensors requires its gradient; t:requires_grad(true) makes one a parameter)" },
    { "optim.SGD({w}, {lr=-1})", "bad argument #2 to 'SGD' (lr is -1, expected a finite number >= 0)" },
    { "optim.SGD({w}, {lr=nan})", "bad argument #2 to 'SGD' (lr is nan, expected a finite number >= 0)" },
    { "optim.SGD({w}, {lr=1, momentum=1})", "bad argument #2 to 'SGD' (momentum is 1, expected one below 1)" },
    { "optim.SGD({w}, {lr=1, nesterov=true})", "bad argument #2 to 'SGD' (nesterov needs a momentum above 0)" },
    { "optim.SGD({w}, {lr=1, momentun=0.9})",
        "bad argument #2 to 'SGD' (unknown option 'momentun'; did you mean 'momentum'?)" },
    { "optim.SGD({w}, {lr=1, nesterov=1})", "bad argument #2 to 'SGD' (option 'nesterov': boolean expected, got number)" },
    { "optim.Adma({w}, {lr=1})", "no 'Adma' in rille.optim; did you mean 'Adam'?" },
    { "optim.Adam({w}, {lr=1, betas=0.9})", "bad argument #2 to 'Adam' (option 'betas': table expected, got number)" },
    { "optim.Adam({w}, {lr=1, betas={0.9, 1}})", "bad argument #2 to 'Adam' (betas[2] is 1, expected one below 1)" },
    { "optim.Adam({w}, {lr=1, eps=-1})", "bad argument #2 to 'Adam' (eps is -1, expected a finite number >= 0)" },
    { "optim.Adam({{w}}, {lr=1})",
        "bad argument #1 to 'Adam' (group 1: { params = list of tensors, ... } expected, got a table without params)" },
    { "optim.Adam({w}, {lr=1}):setp()", "no 'setp' in Adam; did you mean 'step'?" },
    { "optim.Adam({w}, {lr=1}).step()", "bad self for 'step' (optimizer expected, got nil; methods are called with ':')" },
    { "optim.Adam({w}, {lr=1}):load_state(5)", "bad argument #1 to 'load_state' (table of state() expected, got number)" },
    { "optim.Adam({w}, {lr=1}):load_state(optim.SGD({w}, {lr=1}):state())",
        "bad argument #1 to 'load_state' (the state of SGD, expected that of Adam)" },
    { "optim.clip_grad_norm({w}, -1)",
        "clip_grad_norm: max_norm -1 and norm_type 2; max_norm >= 0 and norm_type > 0 expected" },
})

expect("schedulers", {
    { "optim.StepLR(5, {step_size=1})", "bad argument #1 to 'StepLR' (optimizer expected, got number)" },
    { "optim.StepLR(sgd)", "bad argument #2 to 'StepLR' (step_size is missing)" },
    { "optim.StepLR(sgd, {step_size=0})", "bad argument #2 to 'StepLR' (step_size: positive integer expected, got 0)" },
    { "optim.StepLR(sgd, {step_size=1, gama=2})",
        "bad argument #2 to 'StepLR' (unknown option 'gama'; did you mean 'gamma'?)" },
    { "optim.MultiStepLR(sgd, {milestones={5, 3}})",
        "bad argument #2 to 'MultiStepLR' (milestones[2] is 3, below the one before it, 5)" },
    { "optim.MultiStepLR(sgd, {milestones=5})",
        "bad argument #2 to 'MultiStepLR' (milestones: list of positive integers expected, got number)" },
    { "optim.ExponentialLR(sgd, {gamma=-1})",
        "bad argument #2 to 'ExponentialLR' (gamma is -1, expected a finite number > 0)" },
    { "optim.CosineAnnealingLR(sgd, {T_max=0})",
        "bad argument #2 to 'CosineAnnealingLR' (T_max: positive integer expected, got 0)" },
    { "optim.LambdaLR(sgd, {lr_lambda=5})", "bad argument #2 to 'LambdaLR' (lr_lambda: function expected, got number)" },
    { "optim.LambdaLR(sgd, {lr_lambda=function() end})", "LambdaLR: lr_lambda(0) is a nil, expected a number" },
    { "optim.ReduceLROnPlateau(sgd, {factor=1})",
        "bad argument #2 to 'ReduceLROnPlateau' (factor is 1, expected one below 1)" },
    { "optim.ReduceLROnPlateau(sgd, {mode='low'})",
        "bad argument #2 to 'ReduceLROnPlateau' (mode: 'min' or 'max' expected, got 'low')" },
    { "optim.ReduceLROnPlateau(sgd):step()", "bad argument #1 to 'step' (number to watch expected, got nil)" },
    { "optim.SequentialLR(sgd, {schedulers={}, milestones={}})",
        "bad argument #2 to 'SequentialLR' (schedulers: list of schedulers expected, got none)" },
    { "return optim.StepLR(sgd, {step_size=1}).gama", "no 'gama' in StepLR" },
})

expect("data", {
    { "data.batches(5, t, 2)", "bad argument #1 to 'batches' (tensor [n, ...] expected, got number)" },
    { "data.batches(t, rille.ones(3), 2)", "bad argument #2 to 'batches' (x has 2 rows, y has 3)" },
    { "data.batches(t, w, 0)", "bad argument #3 to 'batches' (size: positive integer expected, got 0)" },
    { "data.batches(t, w, 1, {shuffle=1.5})", "bad argument #4 to 'batches' (shuffle: integer seed expected, got 1.5)" },
    { "data.batches(t, w, 1, {shufle=1})", "bad argument #4 to 'batches' (unknown option 'shufle'; did you mean 'shuffle'?)" },
    { "data.split(t, w, 2)", "bad argument #3 to 'split' (fraction: number in 0 ... 1 expected, got 2)" },
    { "data.split(t, w, 'x')", "bad argument #3 to 'split' (fraction: number in 0 ... 1 expected, got string)" },
    { "data.split(t, w, 0.5, {seed=1.5})", "bad argument #4 to 'split' (seed: integer expected, got 1.5)" },
    { "data.normalize(t:to'int64')", "bad argument #1 to 'normalize' (float32 or float64 expected, got int64)" },
    { "data.normalize(t, {per='row'})",
        "bad argument #2 to 'normalize' (per: 'feature', 'channel' or 'all' expected, got 'row')" },
    { "data.normalize(t, {mean=t})", "bad argument #2 to 'normalize' (mean and std go together)" },
    { "data.csv(5)", "bad argument #1 to 'csv' (path expected, got number)" },
    { "data.csv('/nowhere.csv')", "csv: /nowhere.csv: No such file or directory" },
    { "data.csv('/nowhere.csv', {separator=',,'})",
        "bad argument #2 to 'csv' (separator: one character expected, got \",,\")" },
    { "data.mnist(5)", "bad argument #1 to 'mnist' (folder expected, got number)" },
    { "data.mnist('/nowhere')",
        "mnist: no file 'train-images-idx3-ubyte' or 'train-images-idx3-ubyte.gz' or "
            .. "'train-images.idx3-ubyte' or 'train-images.idx3-ubyte.gz' in /nowhere" },
    { "data.cifar10('/nowhere')", "cifar10: no file 'data_batch_1.bin' in /nowhere" },
    { "data.spirals(0)", "bad argument #1 to 'spirals' (points: positive integer expected, got 0)" },
    { "data.spirals(5, {seed=0.5})", "bad argument #2 to 'spirals' (seed: integer expected, got 0.5)" },
    { "data.adding(5, 1)", "bad argument #2 to 'adding' (steps: 2 or more expected, got 1)" },
    { "data.copying(5, 0)", "bad argument #2 to 'copying' (steps: positive integer expected, got 0)" },
    { "data.digts()", "no 'digts' in rille.data; did you mean 'digits'?" },
})

expect("gradient flow", {
    { "flow.probe(5)", "bad argument #1 to 'probe' (module expected, got number)" },
    { "flow.probe(net, {saturaton=1})", "bad argument #2 to 'probe' (unknown option 'saturaton'; did you mean 'saturation'?)" },
    { "flow.probe(net):record('x')", "bad argument #1 to 'record' (number expected, got string)" },
    { "flow.probe(net):record(1)", "record: the probe has seen no forward pass of its net" },
    { "flow.diagnose(5)", "bad argument #1 to 'diagnose' (probe expected, got number)" },
    { "flow.diagnose(flow.probe(net))", "bad argument #1 to 'diagnose' (the probe has seen no forward pass of its net)" },
    { "flow.watch(5)", "bad argument #1 to 'watch' (module expected, got number)" },
    { "flow.watch(net, {limit=0})", "bad argument #2 to 'watch' (option 'limit': number above 0 expected, got 0)" },
    { "flow.theory('rleu', {sigma_w=1})", "no activation 'rleu'; did you mean 'relu'?" },
    { "flow.theory('tanh', {})",
        "bad argument #2 to 'theory' (option 'sigma_w' is missing: a weight's deviation times sqrt(fan_in))" },
    { "flow.theory('tanh', {sigma_w=-1})",
        "bad argument #2 to 'theory' (option 'sigma_w': finite number > 0 expected, got -1)" },
    { "flow.theory('tanh', {sigma_w=1, q0=-1})",
        "bad argument #2 to 'theory' (option 'q0': finite number > 0 expected, got -1)" },
    { "flow.theory('tanh', {sigma_w=1}):correlation(2)",
        "bad argument #1 to 'correlation' (number of -1 to 1 expected, got 2)" },
    { "return flow.theory('tanh', {sigma_w=1}).chi_paralel", "no 'chi_paralel' in a theory; did you mean 'chi_parallel'?" },
    { "flow.critical('tanh', {sigma_b=-1})",
        "bad argument #2 to 'critical' (option 'sigma_b': finite number >= 0 expected, got -1)" },
    { "flow.critical(5)", "bad argument #1 to 'critical' (name, entry or module of an activation expected, got number)" },
    { "flow.jacobian(5, t)", "bad argument #1 to 'jacobian' (module or function expected, got number)" },
    { "flow.jacobian(net, 5)", "bad argument #2 to 'jacobian' ([samples, ...] of float32 or float64 expected, got number)" },
    { "flow.jacobian(net, rille.ones(2, 7))", "bad argument #1 to 'Linear' (net[1]: input is [2, 7], expected [*, 3])" },
    { "flow.phase_diagram('tanh', {sigma_w={2, 1}})",
        "bad argument #2 to 'phase_diagram' (option 'sigma_w': {low, high} with 0 <= low < high expected)" },
    { "flow.phase_diagram('tanh', {steps=1})", "bad argument #2 to 'phase_diagram' (option 'steps': 2 or more expected)" },
    { "flow.isometry('tanh')", "bad argument #2 to 'isometry' (option 'depth': positive integer expected, got nil)" },
    { "flow.isometry('tanh', {depth=5, weights='sparse'})",
        "bad argument #2 to 'isometry' (option 'weights': 'gaussian' or 'orthogonal' expected, got 'sparse')" },
    { "rille.measure_early(rille.zeros(2), 3)",
        "bad argument #2 to 'measure_early' (table of intervals expected, got number)" },
    { "rille.measure_early(rille.zeros(2), {1})",
        "bad argument #2 to 'measure_early' (at most 8 intervals expected, each a low and a high end, got 1 numbers)" },
    { "rille.measure_early(rille.zeros(2), nil, 'x', nil)",
        "bad argument #3 to 'measure_early' (tensor expected, got string)" },
    { "rille.measure_many({rille.zeros(2)}, {{1}})", "bad argument #2 to 'measure_many' "
        .. "([1]: at most 8 intervals expected, each a low and a high end, got 1 numbers)" },
    { "rille.activation{name='errors_own', f=rille.relu}; rille.flat_intervals('errors_own', 0.1)",
        "bad argument #1 to 'flat_intervals' (activation 'errors_own' is the script's own; a built-in one is expected here)" },
    { "flow.gradient_flow(net)", "no 'gradient_flow' in rille.flow; did you mean 'gradient_map'?" },
})

expect("training, files and figures", {
    { "train.loop(5)", "bad argument #1 to 'loop' (table of options expected, got number)" },
    { "train.loop{}", "bad argument #1 to 'loop' (option 'net' is missing)" },
    { "train.loop{net=net}", "bad argument #1 to 'loop' (option 'optimizer' is missing)" },
    { "train.loop{net=5, optimizer=sgd, loss=rille.mse_loss, epochs=1}",
        "bad argument #1 to 'loop' (option 'net': module expected, got number)" },
    { "train.loop{net=net, optimizer=sgd, loss=rille.mse_loss, epochs=1}",
        "bad argument #1 to 'loop' (one of data = { x =, y = } and batches = function is expected, got none)" },
    { "train.loop{net=net, optimizer=sgd, loss=rille.mse_loss, epochs=0, data={x=t, y=t}}",
        "bad argument #1 to 'loop' (epochs: positive integer expected, got 0)" },
    { "train.loop{net=net, optimizer=sgd, loss=rille.mse_loss, epochs=1, data={x=t, y=t}, batch_size=0}",
        "bad argument #1 to 'loop' (batch_size: positive integer expected, got 0)" },
    { "train.loop{net=net, optimizer=sgd, loss=rille.mse_loss, epochs=1, data={x=t, y=5}}",
        "bad argument #1 to 'loop' (data: table of tensors x and y expected, got tensor and number)" },
    { "train.loop{net=net, optimizer=sgd, loss=rille.mse_loss, epochs=1, data={x=t, y=t}, clip=-1}",
        "bad argument #1 to 'loop' (clip is -1, expected a number >= 0)" },
    { "train.loop{net=net, optimizer=sgd, loss=rille.mse_loss, epochs=1, data={x=t, y=t}, log='run.txt'}",
        "bad argument #1 to 'loop' (log: a file .csv or .jsonl expected, got 'run.txt')" },
    { "train.loop{net=net, optimizer=sgd, loss=rille.mse_loss, epochs=1, data={x=t, y=t}, epoch=3}",
        "bad argument #1 to 'loop' (unknown option 'epoch'; did you mean 'epochs'?)" },
    { "rille.save(5, {w=w})", "bad argument #1 to 'save' (path expected, got number)" },
    { "rille.save('x', 5)", "bad argument #2 to 'save' (table of tensors expected, got number)" },
    { "rille.save('x', {f=print})",
        "bad argument #2 to 'save' ('f' is a function; tensors, numbers, strings, booleans and tables of them can be saved)" },
    { "rille.save('x', net)", "bad argument #2 to 'save' (table of tensors expected, got Sequential: save its state())" },
    { "rille.save('/nowhere/x', {w=w})", "write_safetensors: cannot write '/nowhere/x': No such file or directory" },
    { "rille.load(5)", "bad argument #1 to 'load' (path expected, got number)" },
    { "rille.load('/nowhere')", "read_safetensors: /nowhere: No such file or directory" },
    { "rille.load_npy(5)", "bad argument #1 to 'load_npy' (path expected, got number)" },
    { "rille.load_npy('/nowhere.npy')", "read_npy: /nowhere.npy: No such file or directory" },
    { "rille.save_npy('x.npy', 5)", "bad argument #2 to 'save_npy' (tensor expected, got number)" },
    { "plot.lines(t, 5)", "bad argument #2 to 'lines' (list of { label, y } expected, got number)" },
    { "plot.lines({ 1, 2 }, {5})", "bad argument #2 to 'lines' ([1]: { label, y } expected, got number)" },
    { "plot.lines('x', {{'a', {1, 2}}})", "bad argument #2 to 'lines' (series[1].x: list or tensor expected, got string)" },
    { "plot.save(5, 'a.svg')", "bad argument #1 to 'save' (path expected, got number)" },
    { "plot.save(plot.lines({1, 2}, {{'a', {1, 2}}}), 5)", "bad argument #1 to 'save' (path expected, got table)" },
    { "plot.save(plot.lines({1, 2}, {{'a', {1, 2}}}), 'a.bmp')", "bad argument #1 to 'save' (path expected, got table)" },
})

expect("misspelt names", {
    { "rille.rleu(t)", "no 'rleu' in rille; did you mean 'relu'?" },
    { "rille.ReLU(t)", "no 'ReLU' in rille; did you mean 'relu'?" },
    { "rille.photosynthesis(t)", "no 'photosynthesis' in rille" },
    { "return rille.nn", "no 'nn' in rille; it is a module of its own: require \"rille.nn\"" },
    { "t:rleu()", "no 'rleu' in tensor; did you mean 'relu'?" },
    { "return t.gard", "no 'gard' in tensor; did you mean 'grad'?" },
    { "t:photosynthesis()", "no 'photosynthesis' in tensor" },
    { "t.gard = 1", "no 'gard' to assign in tensor; did you mean 'grad'?" },
    { "t.name = 1", "no 'name' to assign in tensor" },
})

expect("tensors that were freed", {
    { "t:free() return t + 1", "bad argument #1 to 'add' (tensor was freed)" },
    { "t:free() return rille.add(1, t)", "bad argument #2 to 'add' (tensor was freed)" },
    { "t:free() t:shape()", "calling 'shape' on bad self (tensor was freed)" },
    { "t:free() return t[1]", "bad argument #1 to 'index' (tensor was freed)" },
    { "w:free() rille.grad({t}, {t, w})", "bad argument #2 to 'grad' ([2]: tensor was freed)" },
    { "w:free() rille.save('/nowhere/x', {net = {t, w}})",
        "bad argument #2 to 'write_safetensors' ('net/#2': tensor was freed)" },
    { "w:free() rille.save_npz('/nowhere/x', {t = t, w = w})", "bad argument #2 to 'save_npz' ('w': tensor was freed)" },
    { "local y rille.scope(function() y = t + 1 end) return y:sum()", "calling 'sum' on bad self (tensor was freed when "
        .. "its rille.scope ended; return it from there or give it to rille.keep)" },
})

describe("a message's position", function()
    it("is the script's own line", function()
        assert.matches("^experiment.lua:3: ", message_of("local x = 1\nlocal y = 2\nrille.zeros(-1)\n"))
        assert.matches("^experiment.lua:2: ", message_of("pcall(print)\nreturn select(2, pcall(error), rille.zeros(-1))"))
        assert.matches("^experiment.lua:1: ", message_of("error(select(2, pcall(rille.zeros, -1)), 0)"))
    end)

    it("passes over Rille's own Lua modules", function()
        local path = assert(package.searchpath("rille.nn", package.path))
        local chunk = "local rille = ... return function(f) f() end, function() rille.raise('%s %d', 'raised', 3) end, "
            .. "function() local t = rille.zeros(-1) return t end"
        local call, raise, zeros = assert(load(chunk, "@" .. path:gsub("[^/]*$", "fake.lua")))(rille)
        local environment = { call = call, raise = raise, zeros = zeros }
        local function message(text)
            return select(2, pcall(assert(load(text, "@experiment.lua", "t", environment))))
        end
        assert.equal("experiment.lua:2: raised 3", message("\ncall(raise)"))
        assert.equal("experiment.lua:2: bad argument #1 to 'zeros' (size -1 is negative)", message("\ncall(zeros)"))
        assert.equal("experiment.lua:2: raised 3", message("\nlocal function f() raise() end call(f)"))
    end)

    it("is left out where there is no script", function()
        local co = coroutine.create(rille.zeros)
        local _, message = coroutine.resume(co, -1)
        assert.equal("bad argument #1 to 'zeros' (size -1 is negative)", message)
    end)
end)

describe("rille.raise", function()
    it("takes a message or a format", function()
        assert.equal("experiment.lua:1: 100 %", message_of("rille.raise('100 %')"))
        assert.equal("experiment.lua:1: a 1", message_of("rille.raise('%s %d', 'a', 1)"))
        assert.equal("experiment.lua:1: bad argument #1 to 'raise' (message expected, got nil)",
            message_of("rille.raise(nil)"))
    end)
end)

describe("a script that failed", function()
    it("leaves no error behind", function()
        pcall(rille.matmul, rille.ones(2, 3), rille.ones(2, 3))
        assert.same({ 2 }, (rille.ones(1) + 1):totable())
        pcall(rille.zeros, 1 << 40, 1 << 40)
        rille.grad(rille.ones(1, { requires_grad = true }) * 2, rille.ones(1, { requires_grad = true }))
    end)
end)
