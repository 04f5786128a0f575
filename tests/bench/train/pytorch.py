"""PyTorch as one of the two that bench-train compares: see driver.c for what it is asked."""
import sys
import time

import numpy
import torch
from torch import nn

RATE = 1e-3


def deep(activation, inputs, width, times):
    layers = []
    for i in range(times):
        layers += [nn.Linear(width if i else inputs, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


class Reader(nn.Module):
    """Of a sequence: classifies its last state."""

    def __init__(self):
        super().__init__()
        self.lstm, self.linear = nn.LSTM(32, 128), nn.Linear(128, 10)

    def forward(self, x):
        return self.linear(self.lstm(x)[0][-1])


NETS = {
    "sigmoid": lambda: deep(nn.Sigmoid, 784, 256, 3),
    "tanh": lambda: deep(nn.Tanh, 64, 64, 50),
    "relu": lambda: deep(nn.ReLU, 1024, 1024, 4),
    "lstm": Reader,
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10)),
}


def resident(what):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(what + ":"))


def forget_peak():  # proc(5)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


class Case:
    def __init__(self, name, threads, statistics, path):
        torch.set_num_threads(int(threads))
        self.clock = time.process_time if threads == "1" else time.perf_counter
        forget_peak()
        self.before, self.statistics, self.path = resident("VmRSS"), statistics != "none", path
        self.net = NETS[name]()
        self.parameters = list(self.net.parameters())
        with numpy.load(path) as arrays, torch.no_grad():
            self.x, self.labels = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["labels"])
            for i, parameter in enumerate(self.parameters, 1):
                given = torch.from_numpy(arrays["p%03d" % i])
                assert given.shape == parameter.shape
                parameter.copy_(given)
        self.optimizer = torch.optim.SGD(self.parameters, lr=RATE)
        self.loss = nn.CrossEntropyLoss()

    def backward(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(self.net(self.x), self.labels).backward()

    def compare(self):
        """The worst |g - g'| / |g'|, over the parameters."""
        self.backward()
        worst = 0
        with numpy.load(self.path) as arrays:
            for i, parameter in enumerate(self.parameters, 1):
                theirs, ours = arrays["g%03d" % i].astype("float64"), parameter.grad.numpy().astype("float64")
                off = numpy.linalg.norm(theirs - ours) / numpy.linalg.norm(ours)
                worst = worst if off <= worst else off  # NaN is the worst
        return worst

    def run(self, count):
        began = self.clock()
        for _ in range(count):
            self.backward()
            if self.statistics:
                self.seen = [(p.grad.norm().item(), p.grad.std().item()) for p in self.parameters]
            self.optimizer.step()
        return self.clock() - began


case = None
for line in sys.stdin:
    command, *words = line.split()
    if command == "name":
        print("PyTorch", torch.__version__)
    elif command == "case":
        case = Case(*words)
        print("ok")
    elif command == "compare":
        print(case.compare())
    elif command == "run":
        print(case.run(int(words[0])))
    elif command == "memory":
        print(resident("VmHWM") - case.before)
    sys.stdout.flush()
