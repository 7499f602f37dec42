"""Networks for TorchScript, each with its inputs. No annotations of the future here: TorchScript can't read them."""

from typing import Dict, List, NamedTuple, Optional, Tuple  # noqa: UP035  # TorchScript reads these

import torch
import torch.nn.functional as F  # noqa: N812  # as everyone calls it
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x))) + x


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.stages = nn.Sequential(nn.Sequential(Block(), Block()), Block(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(self.stages(self.stem(x)), 1))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.layer(x).relu_()) - self.layer(x)


class Loops(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 4)
        self.even = nn.Linear(4, 4)

    def forward(self, x: Tensor, steps: int = 3) -> Tuple[Tensor, List[Tensor]]:  # noqa: UP006
        state = torch.zeros(x.shape[0], 4)
        kept: List[Tensor] = []  # noqa: UP006
        for step in range(steps):
            state = self.cell(x, state)
            if step % 2 == 0:
                state = self.even(state)
            elif state.sum() > 1e9:
                raise ValueError("too much")
            kept.append(state)
        while float(state.abs().max()) > 0.01 and len(kept) < 6:
            state = state * 0.5
            kept.insert(0, state)
        return state, kept[1:]


class Choice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.yes, self.no = nn.Linear(4, 4), nn.Tanh()

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        if mask is not None:
            x = x * mask
        if bool(x.mean() > 0):  # noqa: SIM108  # two branches to follow
            y = self.yes(x)
        else:
            y = self.no(x)
        found = {"y": y, "x": x}
        found["sum"] = y.sum()
        for name in found:
            found[name] = found[name] + 1
        return found


class Containers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.acts = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})

    def forward(self, x: Tensor) -> List[Tuple[int, Tensor]]:  # noqa: UP006
        found: List[Tuple[int, Tensor]] = []  # noqa: UP006
        for number, layer in enumerate(self.layers):
            x = layer(x)
            found += [(number, x)]
        for name, act in self.acts.items():
            x = act(x)
            found.append((len(name), x))
        return found


class Filler(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor, into: List[Tensor]) -> int:  # noqa: UP006
        into.append(self.layer(x))
        return len(into)

    def twice(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.layer(x * 2)


class Methods(nn.Module):
    """Methods other than forward, a list that a submodule fills, an attribute that's set."""

    def __init__(self) -> None:
        super().__init__()
        self.fill, self.count = Filler(), 0
        self.register_buffer("seen", torch.zeros(()))

    def scaled(self, x: Tensor, by: float) -> Tensor:
        return self.fill.twice(x) * by

    def forward(self, x: Tensor) -> Tensor:
        held: List[Tensor] = []  # noqa: UP006
        alias = held
        count = self.fill(x, held) + self.fill(x + 1, alias)
        self.seen.add_(1.0)
        return torch.stack(held).sum(0) * count + self.scaled(x, 0.5)


@torch.jit.interface
class Act(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.layer(x))


class Cap(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(-0.5, 0.5)


class Interfaced(nn.Module):
    act: Act

    def __init__(self) -> None:
        super().__init__()
        self.act = Gate()
        self.layers = nn.ModuleList([Gate(), Cap()])

    def forward(self, x: Tensor, which: int = 1) -> Tensor:
        chosen: Act = self.layers[which]
        return chosen.forward(self.act.forward(x))


class Pair(NamedTuple):
    low: Tensor
    high: Tensor


class Halves(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return Pair(x[:, :2], x[:, 2:])


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.halves, self.layer = Halves(), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tuple[Pair, str, torch.device]:  # noqa: UP006
        pair = self.halves(x)
        parts = x.split(2, 1)
        low, high = parts[0], parts[1]
        made = Pair(self.layer(pair.low) + high, self.layer(pair.high) - low)
        return made, f"{x.shape[0]} rows", x.device


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.lstm = nn.LSTM(8, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.norm = nn.LayerNorm(12)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tuple[Tensor, Tensor]]:  # noqa: UP006
        y, state = self.lstm(self.embed(x))
        return self.norm(y), state


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        return self.attention(x, x, x, need_weights=False)[0]


class Holder:
    def __init__(self, x: Tensor) -> None:
        self.x = x


class Strange(nn.Module):
    """Holds an object of a class, which isn't followed."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        held = Holder(self.inner(x))
        return held.x * 2


class AroundStrange(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.strange, self.last = nn.Linear(4, 4), Strange(), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.strange(self.first(x)))


class StrangeFiller(nn.Module):
    def forward(self, x: Tensor, into: List[Tensor]) -> int:  # noqa: UP006
        into.append(Holder(x).x)
        return len(into)


class AroundStrangeFiller(nn.Module):
    """Change a list that runs whole, so that all that holds the list changes too."""

    def __init__(self) -> None:
        super().__init__()
        self.fill, self.layer = StrangeFiller(), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        held: List[Tensor] = []  # noqa: UP006
        self.fill(self.layer(x), held)
        return held[0] * len(held)


class Keeper(nn.Module):
    """Changes a list of its own from call to call, and a list that it's given."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: List[int] = [1]  # noqa: UP006
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor, more: List[int]) -> Tuple[Tensor, List[int]]:  # noqa: UP006
        self.sizes.append(x.shape[0])
        more.append(7)
        return self.layer(x) * self.sizes[-1] * len(self.sizes), more


def halve(self, args: Tuple[Tensor], output: Tensor) -> Tensor:  # noqa: UP006
    return output * 0.5


def networks() -> dict[str, tuple[nn.Module, tuple[object, ...]]]:
    torch.manual_seed(0)
    x = torch.randn(3, 4)
    image = torch.randn(2, 3, 8, 8)
    return {
        "nested": (Nested(), (image,)),
        "twice": (Twice(), (x,)),
        "loops": (Loops(), (x,)),
        "loops 5": (Loops(), (x, 5)),
        "loops none": (Loops(), (x, 0)),
        "yes": (Choice(), (x.abs(),)),
        "no": (Choice(), (-x.abs(), torch.ones(4))),
        "containers": (Containers(), (x,)),
        "methods": (Methods(), (x,)),
        "interface": (Interfaced(), (x,)),
        "interface 0": (Interfaced(), (x, 0)),
        "named": (Named(), (x,)),
        "recurrent": (Recurrent(), (torch.randint(0, 10, (2, 5)),)),
        "attention": (Attention(), (torch.randn(2, 5, 8),)),
        "strange": (AroundStrange(), (x,)),
        "strange filler": (AroundStrangeFiller(), (x,)),
        "keeper": (Keeper(), (x, [1, 2])),
    }
