--- rille.nn.embedding: Embedding.

local rille = require "rille"
local arguments = require "rille.nn.arguments"
local check = require "rille.check"
local init = require "rille.nn.initialization"
local module = require "rille.nn.module"

--- nn.Embedding(num_embeddings, embedding_dim [, {dtype="float32"}]): rille.embedding, a row of weight
-- [num_embeddings, embedding_dim] for each index, which counts from 1: [...] -> [..., embedding_dim]. weight starts from
-- N(0, 1), as PyTorch's does.
local Embedding = module.Module:extend "Embedding"

function Embedding:init(num_embeddings, embedding_dim, options)
    self.num_embeddings = check.positive_integer(1, "Embedding", "num_embeddings", num_embeddings)
    self.embedding_dim = check.positive_integer(2, "Embedding", "embedding_dim", embedding_dim)
    options = check.options(3, "Embedding", options, { dtype = "float32" })
    arguments.check_dtype(3, "Embedding", options.dtype)
    local weight = rille.zeros(self.num_embeddings, self.embedding_dim, { dtype = options.dtype })
    self.weight = init.normal(weight):requires_grad(true)
end

function Embedding:forward(index)
    if not check.is_tensor(index) then
        self:argument_error(1, "tensor of indices expected, got %s", check.type_name(index))
    end
    return rille.embedding(index, self.weight)
end

function Embedding:describe()
    return ("%d rows of %d"):format(self.num_embeddings, self.embedding_dim)
end

return { Embedding = Embedding }
