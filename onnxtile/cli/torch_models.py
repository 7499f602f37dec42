"""Share between commands what models of torch need: options, inputs, and a process of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli.isolation import isolate
from onnxtile.cli.standard_streams import words_for
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
        isolate(f"{words_for(model)}: torch", timeout)


def isolate_engine(*files: Path, timeout: float | None, job: str = "onnxruntime") -> None:
    """Have a command go on in a process of its own where onnxruntime runs these models; `job`: what takes the time."""
    isolate(f"{', '.join(map(words_for, files))}: {job}", timeout)


def opened(model: Path, inputs: Sequence[str] | Mapping[str, np.ndarray] | None, seed: int = 0) -> Network:
    """Return the torch model that MODEL names, and its inputs."""
    from onnxtile.torch_frontend.load import open_torch

    return open_torch(model, inputs or None, seed)


def refuse(model: Path, **options: object) -> None:
    """Raise UsageError for options that only models of the other kind have a use for; those not in use are falsy."""
    option = next((name.replace("_", "-") for name, value in options.items() if value), None)
    if option is not None:
        own, other = ("torch", "ONNX") if is_torch(model) else ("ONNX", "torch")
        raise UsageError(f"--{option} is for models of {other}, and {model} is one of {own}")


def outcome(model: Path, name: str) -> Path:
    """Return where a result goes: `net.tiled.onnx` beside `net.pt`, in the current folder for `net:build`."""
    return model.with_name(f"{model.name.rpartition(':')[0] or model.stem}.{name}")
