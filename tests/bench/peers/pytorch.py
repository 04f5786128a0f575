"""PyTorch as a peer: see peer.h for what it is asked. Backward passes are autograd's own kernels, timed alone."""
import sys
import time

import torch

torch.set_grad_enabled(False)
aten = torch.ops.aten
FLOAT = torch.float32

FORWARD = {
    "relu": lambda x, y: aten.relu.out(x, out=y),
    "sigmoid": lambda x, y: aten.sigmoid.out(x, out=y),
    "tanh": lambda x, y: aten.tanh.out(x, out=y),
    "exponential": lambda x, y: aten.exp.out(x, out=y),
    "elu": lambda x, y: aten.elu.out(x, out=y),
    "celu": lambda x, y: aten.celu.out(x, out=y),
    "selu": lambda x, y: aten.selu(x),
    "gelu": lambda x, y: aten.gelu.out(x, out=y),
    "gelu_tanh": lambda x, y: aten.gelu.out(x, approximate="tanh", out=y),
    "silu": lambda x, y: aten.silu.out(x, out=y),
    "swish": lambda x, y: aten.silu.out(x, out=y),
    "mish": lambda x, y: aten.mish.out(x, out=y),
    "softplus": lambda x, y: aten.softplus.out(x, out=y),
    "hard_swish": lambda x, y: aten.hardswish.out(x, out=y),
    "erf": lambda x, y: aten.erf.out(x, out=y),
    "leaky_relu": lambda x, y: aten.leaky_relu.out(x, out=y),
    "hard_sigmoid": lambda x, y: aten.hardsigmoid.out(x, out=y),
    "log_sigmoid": lambda x, y: aten.log_sigmoid_forward(x)[0],
    "softsign": lambda x, y: torch.nn.functional.softsign(x),
    "hard_tanh": lambda x, y: aten.hardtanh.out(x, out=y),
    "relu6": lambda x, y: aten.hardtanh.out(x, 0, 6, out=y),
    "soft_shrink": lambda x, y: aten.softshrink.out(x, out=y),
    "hard_shrink": lambda x, y: aten.hardshrink.out(x, out=y),
    "thresholded_relu": lambda x, y: aten.threshold.out(x, 1, 0, out=y),
    "tanh_shrink": lambda x, y: torch.nn.functional.tanhshrink(x),
    "sin": lambda x, y: aten.sin.out(x, out=y),
    "asinh": lambda x, y: aten.asinh.out(x, out=y),
    "arctan": lambda x, y: aten.atan.out(x, out=y),
    "softmax": lambda x, y: aten._softmax.out(x, 1, False, out=y),
    "log_softmax": lambda x, y: aten._log_softmax.out(x, 1, False, out=y),
}

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

# What autograd saves for each (the output where it differentiates that), and the kernel that it then calls.
BACKWARD = {
    "relu": ("output", lambda g, y, dx: aten.threshold_backward.grad_input(g, y, 0, grad_input=dx)),
    "sigmoid": ("output", lambda g, y, dx: aten.sigmoid_backward.grad_input(g, y, grad_input=dx)),
    "tanh": ("output", lambda g, y, dx: aten.tanh_backward.grad_input(g, y, grad_input=dx)),
    "exponential": ("output", lambda g, y, dx: torch.mul(g, y, out=dx)),
    "elu": ("input", lambda g, x, dx: aten.elu_backward.grad_input(g, 1, 1, 1, False, x, grad_input=dx)),
    "celu": ("input", lambda g, x, dx: aten.elu_backward.grad_input(g, 1, 1, 1, False, x, grad_input=dx)),
    "selu": ("input", lambda g, x, dx: aten.elu_backward.grad_input(g, SELU_ALPHA, SELU_SCALE, 1, False, x, grad_input=dx)),
    "gelu": ("input", lambda g, x, dx: aten.gelu_backward.grad_input(g, x, grad_input=dx)),
    "gelu_tanh": ("input", lambda g, x, dx: aten.gelu_backward.grad_input(g, x, approximate="tanh", grad_input=dx)),
    "silu": ("input", lambda g, x, dx: aten.silu_backward.grad_input(g, x, grad_input=dx)),
    "swish": ("input", lambda g, x, dx: aten.silu_backward.grad_input(g, x, grad_input=dx)),
    "mish": ("input", lambda g, x, dx: aten.mish_backward(g, x)),
    "softplus": ("input", lambda g, x, dx: aten.softplus_backward.grad_input(g, x, 1, 20, grad_input=dx)),
    "hard_swish": ("input", lambda g, x, dx: aten.hardswish_backward(g, x)),
    "leaky_relu": ("input", lambda g, x, dx: aten.leaky_relu_backward.grad_input(g, x, 0.01, False, grad_input=dx)),
    "hard_sigmoid": ("input", lambda g, x, dx: aten.hardsigmoid_backward.grad_input(g, x, grad_input=dx)),
    "log_sigmoid": ("both", lambda g, x, dx: aten.log_sigmoid_backward.grad_input(g, x[0], x[1], grad_input=dx)),
    "hard_tanh": ("input", lambda g, x, dx: aten.hardtanh_backward.grad_input(g, x, -1, 1, grad_input=dx)),
    "relu6": ("input", lambda g, x, dx: aten.hardtanh_backward.grad_input(g, x, 0, 6, grad_input=dx)),
    "soft_shrink": ("input", lambda g, x, dx: aten.softshrink_backward.grad_input(g, x, 0.5, grad_input=dx)),
    "hard_shrink": ("input", lambda g, x, dx: aten.hardshrink_backward.grad_input(g, x, 0.5, grad_input=dx)),
    "thresholded_relu": ("input", lambda g, x, dx: aten.threshold_backward.grad_input(g, x, 1, grad_input=dx)),
    "softmax": ("output", lambda g, y, dx: aten._softmax_backward_data.out(g, y, 1, FLOAT, grad_input=dx)),
    "log_softmax": ("output", lambda g, y, dx: aten._log_softmax_backward_data.out(g, y, 1, FLOAT, out=dx)),
}

CALL = {"tanh": torch.tanh, "relu": torch.relu, "add": lambda x: x + x}


def read(path, rows, columns):
    return torch.from_file(path, shared=False, size=rows * columns, dtype=FLOAT).clone().view(rows, columns)


class Case:
    """One operation on one set of inputs; run() returns its result."""

    def __init__(self, op, which, rows, columns, threads, x, dy, path):
        torch.set_num_threads(threads)
        self.path = path
        x, g = read(x, rows, columns), read(dy, rows, columns)
        y = torch.empty_like(x)
        if which == "call":
            f, x = CALL[op], x.view(-1)
            self.run = lambda: f(x)
        elif which == "forward":
            f = FORWARD[op]
            self.run = lambda: f(x, y)
        else:
            saves, f = BACKWARD[op]
            saved = x
            if saves == "output":
                saved = FORWARD[op](x, torch.empty_like(x))
            elif saves == "both":
                saved = (x, aten.log_sigmoid_forward(x)[1])
            self.run = lambda: f(g, saved, y)

    def time(self, count):
        run = self.run
        began = time.perf_counter()
        for _ in range(count):
            run()
        return time.perf_counter() - began

    def write(self):
        result = self.run().contiguous().view(-1)
        torch.from_file(self.path, shared=True, size=result.numel(), dtype=FLOAT).copy_(result)


def begin(words):
    op, which = words[0], words[1]
    if op not in {"forward": FORWARD, "backward": BACKWARD, "call": CALL}[which]:
        return None
    return Case(op, which, int(words[2]), int(words[3]), int(words[4]), *words[5:8])


case = None
for line in sys.stdin:
    command, *words = line.split()
    if command == "name":
        print("PyTorch", torch.__version__)
    elif command == "case":
        case = begin(words)
        print("ok" if case else "none")
    elif command == "run":
        print(case.time(int(words[0])))
    else:
        case.write()
        print("ok")
    sys.stdout.flush()
