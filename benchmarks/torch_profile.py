"""Time `profile` of torch networks against ptflops and torchinfo, and lay what all count beside what is right.

    pip install ptflops==0.7.5 torchinfo==1.8.0 fvcore thop     # beside onnxtile[torch]; no part of this repository
    python benchmarks/torch_profile.py [ROUNDS]

The first table: GoogLeNet (1 x 3 x 224 x 224) and a transformer of 12 layers (1 x 128 x 768), one thread, all tools in
turns in one process, best and median of ROUNDS (7); what matters are the ratios. ptflops has its default backend for
networks, `pytorch`; torchinfo counts on a run of its own, too. The others aren't timed: they count less.

The second: multiply-accumulates of thirteen operators by every tool, beside those counted by hand. FlopCounterMode
counts two a multiply-accumulate, so its half is shown. `-`: it counts nothing; `!`: it can't run it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import logging
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the cases are among the tests
sys.path.insert(0, str(ROOT / "examples"))

import fvcore.nn
import ptflops
import thop
import torch_networks
import torchinfo
from torch.utils.flop_counter import FlopCounterMode

import onnxtile
from onnxtile.torching.inputs import as_inputs
from tests.test_torch_tables import THIRTEEN, case

Count = Callable[[Any, tuple[Any, ...]], Any]


def by_onnxtile(model: Any, args: tuple[Any, ...]) -> Any:
    return onnxtile.profile(model, inputs=args).totals.macs


def by_ptflops(model: Any, args: tuple[Any, ...]) -> Any:
    names = [f"x{place}" for place in range(len(args))]

    class Named(torch.nn.Module):
        """It calls by keywords, which not every module has the names for."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, **inputs: Any) -> Any:
            return self.model(*(inputs[name] for name in names))

    found, _ = ptflops.get_model_complexity_info(
        Named(), (1,), input_constructor=lambda _: dict(zip(names, args, strict=True)), as_strings=False,
        print_per_layer_stat=False, backend="pytorch", verbose=False,
    )  # fmt: skip
    return found


def by_torchinfo(model: Any, args: tuple[Any, ...]) -> Any:
    return torchinfo.summary(model, input_data=args, verbose=0).total_mult_adds


def by_flop_counter(model: Any, args: tuple[Any, ...]) -> Any:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*args)
    return counter.get_total_flops() // 2


def by_fvcore(model: Any, args: tuple[Any, ...]) -> Any:
    return int(fvcore.nn.FlopCountAnalysis(model, args).unsupported_ops_warnings(False).total())


def by_thop(model: Any, args: tuple[Any, ...]) -> Any:
    return int(thop.profile(model, inputs=args, verbose=False)[0])


TOOLS: dict[str, Count] = {
    "onnxtile": by_onnxtile, "FlopCounterMode": by_flop_counter, "ptflops": by_ptflops, "fvcore": by_fvcore,
    "torchinfo": by_torchinfo, "thop": by_thop,
}  # fmt: skip
TIMED = ("onnxtile", "ptflops", "torchinfo")
NETWORKS: dict[str, tuple[Callable[[], Any], str]] = {
    "GoogLeNet": (torch_networks.googlenet, "1x3x224x224"),
    "transformer, 12 layers": (torch_networks.transformer, "1x128x768"),
}


def main(rounds: int) -> None:
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    names = ("torch", "ptflops", "torchinfo", "fvcore", "thop")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {', '.join(versions)}\n")
    print("| network | tool | best, ms | median, ms | of the faster peer |\n| --- | --- | ---: | ---: | ---: |")
    for name, (make, inputs) in NETWORKS.items():
        times(name, make(), as_inputs(inputs)[0], rounds)
    print(f"\n| operator | by hand | {' | '.join(TOOLS)} |\n| --- | ---: |{' ---: |' * len(TOOLS)}")
    right = dict.fromkeys(TOOLS, 0)
    for name, (_, inputs, macs) in THIRTEEN.items():
        cells = []
        for tool, count in TOOLS.items():
            found = counted(count, case(name), as_inputs(inputs)[0])
            right[tool] += found == macs
            shown = f"{found:,}" if isinstance(found, int) else str(found)
            cells.append(f"**{shown}**" if found == macs else shown if found else "-")
        print(f"| {name} | {macs:,} | {' | '.join(cells)} |")
    print(f"| right | 13 | {' | '.join(map(str, right.values()))} |")


def times(name: str, model: Any, args: tuple[Any, ...], rounds: int) -> None:
    taken: dict[str, list[float]] = {tool: [] for tool in TIMED}
    for number in range(rounds + 1):
        for tool in TIMED:  # in turns: a slow moment of the machine meets them all
            start = time.perf_counter()
            counted(TOOLS[tool], model, args)
            if number:  # the first round imports what is imported late
                taken[tool].append(time.perf_counter() - start)
    peer = min(min(taken[tool]) for tool in TIMED[1:])
    for tool, seconds in taken.items():
        best, middle = min(seconds), statistics.median(seconds)
        print(f"| {name} | {tool} | {best * 1e3:.1f} | {middle * 1e3:.1f} | {best / peer:.2f} |")


def counted(count: Count, model: Any, args: tuple[Any, ...]) -> Any:
    """What a tool says; `!` where it fails, whatever it raises."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            return count(model, args)
        except Exception:
            return "!"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
