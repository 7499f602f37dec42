"""Build networks for tests of torch: those of the examples, saved as files and lying in a folder as code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from onnxtile.cli.app import main
from onnxtile.profiling.results import Profile
from onnxtile.torch_frontend.export import quiet
from onnxtile.torch_frontend.inputs import as_inputs
from onnxtile.torch_frontend.module_tree import Tree, tree_of
from onnxtile.torch_frontend.network import Network
from onnxtile.torch_frontend.profile import profile_of
from onnxtile.torch_frontend.trace.environment import inference
from onnxtile.torch_frontend.trace.recording import record

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import torch_networks

Cli = Callable[..., tuple[int, str, str]]
SMALL = torch_networks.SMALL
SCRIPTED = "scripted"
SIZE = "1x3x224x224"


@cache
def network(name: str) -> Any:
    """A network of the examples; its weights are all different, so that no exporter makes one of two."""
    made = torch_networks.small(name) if name in SMALL else getattr(torch_networks, name)()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return made


def inputs_of(name: str) -> tuple[str, ...]:
    return SMALL[name][1] if name in SMALL else (SIZE,)


def tensors_of(name: str) -> tuple[Any, ...]:
    return as_inputs(list(inputs_of(name)))[0]


def saved(name: str, kind: str, folder: Path) -> Path:
    """The network as a file: traced or scripted (.pt), exported (.pt2), or in ONNX as torch has it, nothing folded."""
    made, args = network(name), tensors_of(name)
    path = folder / f"{name}{ {'exported': '.pt2', 'onnx': '.onnx'}.get(kind, '.pt') }"
    with inference(made), quiet():
        if kind == "traced":
            torch.jit.save(torch.jit.trace(made, args, check_trace=False), path)
        elif kind == SCRIPTED:
            torch.jit.save(torch.jit.script(made), path)
        elif kind == "exported":
            torch.export.save(torch.export.export(made, args), path)
        else:
            torch.onnx.export(made, args, dynamo=True, optimize=False, verbose=False, opset_version=18).save(path)
    return path


def profile_torch(model: Any, args: tuple[Any, ...], device: str | None = None, **options: Any) -> Profile:
    """The profile of a network, whose errors are raised as they are."""
    return profile_of(record(Network(model, args), device), **options)


def tree_torch(model: Any, args: tuple[Any, ...], depth: int | None = None) -> Tree:
    """The modules of a network."""
    return tree_of(record(Network(model, args)), depth)


class Call(nn.Module):
    """A network that is one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def some(*shape: int) -> Any:
    return torch.randn(shape)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.block = nn.Linear(4, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight
        self.unused = nn.Linear(2, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        found = self.embedding(ids)
        return self.head(self.block(self.block(found)))


class Small(nn.Module):
    """Convolutions, norms, pools, and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2, groups=2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.up(self.stem(x)).flatten(2).transpose(1, 2)
        return self.head(self.attention(found, found, found, need_weights=False)[0].mean(1))


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    """The program in this process: exit status, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["onnxtile", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def document(found: tuple[int, str, str]) -> dict[str, Any]:
    """Return what the program printed as JSON."""
    status, out, err = found
    assert status == 0, err
    read: dict[str, Any] = json.loads(out)
    return read
