"""Refuse to write over what a command reads, and models over files that aren't earlier results, but with --force."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from onnxtile.errors import OnnxtileError, UsageError
from onnxtile.torch_frontend.detection import is_torch

Force = Annotated[
    bool, typer.Option("--force", help="Write the result over whatever file is there, another model's too.")
]
_Interface = tuple[list[str], list[str]]


def check_apart(output: Path, models: Iterable[Path | None], *others: Path | str | None) -> None:
    """Refuse an output that can't be written, or that the command reads or writes as well: UsageError.

    `models`: those that it reads, whose weights may be in files of their own; `others`: other files. A model that can't
    be read is told by what reads it.
    """
    from onnxtile.ir.io.files import check_output
    from onnxtile.ir.io.lazy import skim
    from onnxtile.ir.io.load import external_files

    read = [model for model in models if model is not None]
    check_output(output, *read, *(Path(other) for other in others if other is not None))
    for model in read if output.exists() else ():
        try:
            weights = [] if is_torch(model) else external_files(skim(model))
        except OnnxtileError:
            continue
        check_output(output, *weights)


def check_earlier(output: Path, model: Path, force: bool) -> None:
    """Refuse an output that is there already and isn't a model with the inputs and outputs of `model`: UsageError.

    Nothing in a file says what it was made from, but lowering keeps the names of inputs and outputs. An empty file may
    be written over: shells and `mktemp` make them. A model that can't be read is told by what reads it.
    """
    if force or not output.is_file() or not output.stat().st_size:
        return
    there, new = _interface(output), _interface(model)
    if there is None:
        raise UsageError(f"output {output} is there already and isn't a model; give another path, or --force")
    if new is not None and there != new:
        named = " and ".join(", ".join(names) or "none" for names in there)
        raise UsageError(
            f"output {output} has another model, whose inputs and outputs are {named}; give another path, or --force"
        )


def _interface(path: Path) -> _Interface | None:
    """Return the names of a model's inputs and outputs, read without the rest; None for what isn't a model."""
    import mmap

    import google.protobuf.message
    import onnx

    from onnxtile.ir.io.protobuf_wire import LARGEST, inside, number_of, runs

    graph = number_of(onnx.ModelProto, "graph")
    wanted = [number_of(onnx.GraphProto, name) for name in ("input", "output")]
    kept = onnx.GraphProto()
    found = False
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for number, start, stop in runs(data, 0, len(data), 0):
                if number == graph:
                    found = True
                    for field, begin, end in runs(data, inside(data, start), stop, LARGEST):
                        if field in wanted:
                            kept.MergeFromString(data[begin:end])
    except (OSError, ValueError, IndexError, google.protobuf.message.DecodeError):
        return None
    return ([value.name for value in kept.input], [value.name for value in kept.output]) if found else None
