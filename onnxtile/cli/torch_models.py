"""What commands share for models of torch: their options, and what they are called with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli.isolation import isolate
from onnxtile.errors import UsageError
from onnxtile.torch_frontend.detection import TORCH_FILES, is_torch

if TYPE_CHECKING:
    import numpy as np

    from onnxtile.torch_frontend.network import Network

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model of ONNX; or of torch: FILE.pt, FILE.pt2 or module:callable.")
]
Input = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="[NAME=]SHAPE[:TYPE]",
        help="What a torch model is called with: 1x3x224x224, ids=1x128:int64; once for each input.",
    ),
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="DEVICE", help="Where a torch model runs: cuda, cuda:1; cpu if not.")
]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="Longest that torch or onnxruntime may take with a file; 600 by default, 0 any time.",
    ),
]


def isolate_file(model: Path, timeout: float | None) -> None:
    """Have a command go on in a process of its own where torch reads a file; one's own code runs as it is."""
    if is_torch(model) and (timeout is not None or model.name.endswith(TORCH_FILES)):
        isolate(f"{model}: torch", timeout)


def isolate_engine(*files: Path, timeout: float | None) -> None:
    """Have a command go on in a process of its own where onnxruntime runs these models."""
    isolate(f"{', '.join(map(str, files))}: onnxruntime", timeout)


def opened(model: Path, inputs: Sequence[str] | Mapping[str, np.ndarray] | None, seed: int = 0) -> Network:
    """The torch model that MODEL names, and its inputs."""
    from onnxtile.torch_frontend.open import open_torch

    return open_torch(model, inputs or None, seed)


def refuse(model: Path, **given: object) -> None:
    """UsageError for options that only models of the other kind have a use for; those that aren't given are falsy."""
    option = next((name for name, value in given.items() if value), None)
    if option is not None:
        words = option.replace("_", "-")
        kinds = ("ONNX", "torch") if is_torch(model) else ("torch", "ONNX")
        raise UsageError(f"--{words} is for models of {kinds[0]}, and {model} is one of {kinds[1]}")


def outcome(model: Path, name: str) -> Path:
    """Where a result goes by default: `net.tiled.onnx` beside `net.pt`, and in the current folder for `net:build`."""
    return model.with_name(f"{model.name.rpartition(':')[0] or model.stem}.{name}")
