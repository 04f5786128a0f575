"""Losses of 100 training steps in PyTorch, for tests/lua/loss_curves_spec.lua, which trains the same nets.

    python3 tests/golden/loss_curves.py > tests/golden/loss_curves.csv      (PyTorch 1.13)

Weights and data are float64 made of hashed integers, so that both sides compute the same bits; nothing is drawn.
"""
import torch
from torch import nn

STEPS = 100
MASK = 2**64 - 1


def number(stream, i):
    """-1 ... 1, by splitmix64 (Steele, Lea & Flood 2014) of the i-th counter of a stream."""
    z = ((stream << 32) + i + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    z = z ^ (z >> 31)
    return (z >> 11) * 2.0**-52 - 1


def tensor(stream, *shape, scale=1.0):
    n = torch.Size(shape).numel()
    return torch.tensor([scale * number(stream, i) for i in range(n)], dtype=torch.float64).reshape(shape)


def labels(stream, n, classes):
    return torch.tensor([int((number(stream, i) + 1) * 0.5 * classes) for i in range(n)])


class LastOfLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5)
        self.head = nn.Linear(5, 1)

    def forward(self, x):
        return self.head(self.lstm(x)[0][-1])


def mlp():
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))
    return net, tensor(101, 32, 8), labels(102, 32, 3), nn.functional.cross_entropy


def cnn():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(64, 3))
    return net, tensor(103, 16, 1, 8, 8), labels(104, 16, 3), nn.functional.cross_entropy


def lstm():
    return LastOfLSTM(), tensor(105, 8, 6, 3), tensor(106, 6, 1), nn.functional.mse_loss


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01, nesterov=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.005),
    "centered": lambda p: torch.optim.RMSprop(p, lr=0.001, alpha=0.9, momentum=0.5, centered=True, weight_decay=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05, lr_decay=0.01, initial_accumulator_value=0.1),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
}
CURVES = [(net, name) for net, names in ((mlp, OPTIMIZERS), (cnn, ("sgd", "adam", "adamw")), (lstm, ("sgd", "adam", "adamw")))
          for name in names]


def curve(make, optimizer):
    net, x, y, loss_of = make()
    net = net.double()
    with torch.no_grad():
        for k, p in enumerate(net.parameters()):
            p.copy_(tensor(k + 1, *p.shape, scale=0.5))
    optimizer = OPTIMIZERS[optimizer](net.parameters())
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.set_num_threads(1)
    columns = [curve(net, name) for net, name in CURVES]
    print(",".join(f"{net.__name__} {name}" for net, name in CURVES))
    for row in zip(*columns):
        print(",".join(f"{loss:.17g}" for loss in row))
