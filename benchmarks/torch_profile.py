"""Time of profiling a network of torch, against ptflops 0.7.5 and torchinfo 1.8.0, in one process.

    pip install 'onnxtile[torch]' ptflops==0.7.5 torchinfo==1.8.0
    python benchmarks/torch_profile.py [ROUNDS]

Peers that aren't installed are left out. The networks are GoogLeNet, a transformer of twelve layers, as large as BERT's
base, from examples/torch_networks.py, and a GoogLeNet that reads a number of its result. All tools take part in every
round, in an order that changes; each time is the best of all rounds, as other programs can only make a round slower.
The forward run alone stands beside them: the peers compute all of it, onnxtile leaves out products with parameters,
unless a number is read: then it runs again. OMP_NUM_THREADS=1 makes times steadier on a machine that is shared.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import torch_networks

ROUNDS = 30


class Reading(torch.nn.Module):
    """GoogLeNet, and a step that depends on a number that it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = torch_networks.googlenet()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.network(x)
        return 2 * y if y[0, 0].item() > 0 else y


NETWORKS = {
    "GoogLeNet, 1x3x224x224": (torch_networks.googlenet, (1, 3, 224, 224)),
    "transformer of 12 layers, 1x128x768": (torch_networks.transformer, (1, 128, 768)),
    "transformer of 12 layers, 1x8x768": (torch_networks.transformer, (1, 8, 768)),
    "GoogLeNet that reads a number, 1x3x224x224": (lambda: Reading().eval(), (1, 3, 224, 224)),
}


def ours(model: torch.nn.Module, x: torch.Tensor) -> object:
    import onnxtile

    return onnxtile.profile(model, inputs=(x,)).totals.macs


def ptflops(model: torch.nn.Module, x: torch.Tensor) -> object:
    from ptflops import get_model_complexity_info

    def given(_: object) -> torch.Tensor:
        return x

    return get_model_complexity_info(
        model, tuple(x.shape[1:]), input_constructor=given, as_strings=False, print_per_layer_stat=False,
        backend="pytorch",
    )[0]  # fmt: skip


def torchinfo(model: torch.nn.Module, x: torch.Tensor) -> object:
    from torchinfo import summary

    return summary(model, input_data=x, verbose=0).total_mult_adds


def forward(model: torch.nn.Module, x: torch.Tensor) -> object:
    with torch.no_grad():
        model(x)
    return "-"


TOOLS: dict[str, Callable[[torch.nn.Module, torch.Tensor], object]] = {
    "onnxtile": ours, "ptflops": ptflops, "torchinfo": torchinfo, "forward run": forward,
}  # fmt: skip


def main(rounds: int) -> None:
    tools = [name for name in TOOLS if name == "forward run" or importlib.util.find_spec(name)]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, best of {rounds} rounds")
    for title, (make, shape) in NETWORKS.items():
        model, x = make(), torch.randn(shape)
        times: dict[str, list[float]] = {tool: [] for tool in tools}
        counts: dict[str, object] = {}
        for _ in range(rounds):
            for tool in random.sample(tools, len(tools)):
                with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    start = time.perf_counter()
                    counts[tool] = TOOLS[tool](model, x)
                    times[tool].append(time.perf_counter() - start)
        print(title, flush=True)
        for tool in tools:
            best, half = min(times[tool]), statistics.median(times[tool])
            ratio = f"{best / min(times['onnxtile']):5.2f} x onnxtile"
            print(
                f"  {tool:12} {1000 * best:7.1f} ms  {ratio}  median {1000 * half:7.1f} ms  MACs {counts[tool]}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
