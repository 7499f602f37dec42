"""Multiply-accumulates of thirteen small networks of torch, by hand and by six tools, as a Markdown table.

    pip install 'onnxtile[torch]' ptflops==0.7.5 fvcore torchinfo thop
    python benchmarks/torch_cases.py

Peers that aren't installed are left out. All run in eval mode, and else by torch's defaults. No layer has a bias, which
some tools count as multiply-accumulates, and the batch is one, by which some tools divide. FlopCounterMode's figure is
halved. ptflops runs with its backend for modules, `pytorch`; fvcore's "flops" are multiply-accumulates. ptflops and
thop add other operations of recurrent layers and of attention to theirs: a convention of their own, and wrong here.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional


class Case(NamedTuple):
    """`macs`: worked out by hand from the sizes."""

    name: str
    run: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    macs: int


class Network(nn.Module):
    """One layer or function, called with tensors by place or by name."""

    def __init__(self, run: Callable[..., Any]) -> None:
        super().__init__()
        self.run = run  # a layer becomes a submodule, which tools look for

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None, z: torch.Tensor | None = None) -> Any:
        return self.run(*[each for each in (x, y, z) if each is not None])


class Attention(nn.Module):
    """Multi-head attention of one sequence to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, bias=False, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x)[0]


def cases() -> list[Case]:
    torch.manual_seed(0)
    heads = (1, 4, 10, 16)
    return [
        # positions of the result * kernels * what is under a kernel
        Case("Conv1d", nn.Conv1d(16, 32, 5, padding=2, bias=False), ((1, 16, 50),), 50 * 32 * (16 * 5)),
        Case("Conv2d", nn.Conv2d(16, 32, 3, stride=2, bias=False), ((1, 16, 15, 15),), 7 * 7 * 32 * (16 * 3 * 3)),
        Case("Conv3d", nn.Conv3d(4, 8, 3, padding=1, bias=False), ((1, 4, 5, 6, 7),), 5 * 6 * 7 * 8 * (4 * 3**3)),
        # a kernel is over the channels of its own group
        Case(
            "Conv2d, 4 groups", nn.Conv2d(16, 32, 3, padding=1, groups=4, bias=False), ((1, 16, 8, 8),),
            8 * 8 * 32 * (16 // 4 * 3 * 3),
        ),
        # each position of the input is multiplied by every kernel
        Case(
            "ConvTranspose2d", nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1, bias=False), ((1, 16, 7, 7),),
            7 * 7 * 16 * (8 * 4 * 4),
        ),
        Case("Linear", nn.Linear(64, 48, bias=False), ((1, 10, 64),), 10 * 64 * 48),
        Case("batched matmul", torch.matmul, ((6, 10, 16), (6, 16, 12)), 6 * 10 * 16 * 12),
        Case("matrix by vector", torch.matmul, ((20, 30), (30,)), 20 * 30),
        Case(
            "einsum", lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b), ((1, 4, 10, 16), (1, 4, 12, 16)),
            4 * 10 * 12 * 16,
        ),
        # queries by keys, and what comes by values
        Case(
            "scaled_dot_product_attention", functional.scaled_dot_product_attention, (heads, heads, heads),
            4 * (10 * 16 * 10 + 10 * 10 * 16),
        ),
        # for each step and gate the input and the state by a matrix
        Case("LSTM", nn.LSTM(16, 32, bias=False, batch_first=True), ((1, 10, 16),), 10 * 4 * (16 * 32 + 32 * 32)),
        Case("GRU", nn.GRU(16, 32, bias=False, batch_first=True), ((1, 10, 16),), 10 * 3 * (16 * 32 + 32 * 32)),
        # queries, keys, values and the result by a matrix each; and attention in 4 heads of 8
        Case("MultiheadAttention", Attention(), ((1, 10, 32),), 4 * 10 * 32 * 32 + 4 * (10 * 8 * 10 + 10 * 10 * 8)),
    ]  # fmt: skip


def onnxtile(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    import onnxtile

    return onnxtile.profile(model, inputs=inputs).totals.macs


def flop_counter(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops() / 2


def ptflops(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    from ptflops import get_model_complexity_info

    def named(_: object) -> dict[str, torch.Tensor]:
        return dict(zip("xyz", inputs, strict=False))

    return get_model_complexity_info(
        model, (1,), input_constructor=named, as_strings=False, print_per_layer_stat=False, backend="pytorch"
    )[0]


def fvcore(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    from fvcore.nn import FlopCountAnalysis

    return FlopCountAnalysis(model, inputs).total()


def torchinfo(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    from torchinfo import summary

    return summary(model, input_data=inputs, verbose=0).total_mult_adds


def thop(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    import thop

    return thop.profile(model, inputs, verbose=False)[0]


Tool = Callable[[nn.Module, "tuple[torch.Tensor, ...]"], Any]
TOOLS: dict[str, tuple[str, Tool]] = {
    "onnxtile": ("onnxtile", onnxtile), "FlopCounterMode": ("torch", flop_counter), "ptflops": ("ptflops", ptflops),
    "fvcore": ("fvcore", fvcore), "torchinfo": ("torchinfo", torchinfo), "thop": ("thop", thop),
}  # fmt: skip
"""By column: the package, and what it says."""


def told(tool: Tool, case: Case) -> int | str:
    """Return what a tool counts, or the name of the error that it ends with."""
    generator = torch.Generator().manual_seed(0)
    inputs = tuple(torch.randn(shape, generator=generator) for shape in case.shapes)
    silence = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with silence[0], silence[1], warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = tool(Network(case.run).eval(), inputs)
        except Exception as error:  # a tool that fails on one case is still asked for the others
            return type(error).__name__
    return int(found) if found is not None and found == int(found) else str(found)


def version(package: str) -> str:
    import onnxtile

    return onnxtile.__version__ if package == "onnxtile" else importlib.metadata.version(package)


def main() -> None:
    logging.disable(logging.ERROR)  # fvcore warns of what it doesn't count
    tools = {name: each for name, each in TOOLS.items() if importlib.util.find_spec(each[0])}
    right = dict.fromkeys(tools, 0)
    heads = [f"{name} {version(package)}" for name, (package, _) in tools.items()]
    print("| network | by hand | " + " | ".join(heads) + " |")
    print("| --- | ---: |" + " ---: |" * len(tools))
    for case in cases():
        cells = []
        for name, (_, tool) in tools.items():
            count = told(tool, case)
            right[name] += count == case.macs
            number = f"{count:,}" if isinstance(count, int) else count
            cells.append(f"**{number}**" if count == case.macs else number)
        print(f"| {case.name} | {case.macs:,} | " + " | ".join(cells) + " |")
    print(f"| right | {len(cases())} | " + " | ".join(str(count) for count in right.values()) + " |")


if __name__ == "__main__":
    main()
