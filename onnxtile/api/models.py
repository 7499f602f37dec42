"""Types of models that a caller may have, of ONNX, of torch or files, and options that are for one kind alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnxtile.errors import UsageError

if TYPE_CHECKING:
    from typing import TypeAlias, TypeVar

    import onnx
    import onnx_graphsurgeon
    import onnx_ir as ir
    import torch

    AnyPath: TypeAlias = str | os.PathLike[str]
    TorchModel: TypeAlias = torch.nn.Module | torch.export.ExportedProgram | AnyPath
    Inputs: TypeAlias = torch.Tensor | str | Sequence[object] | Mapping[str, object]
    Model = TypeVar("Model", onnx.ModelProto, ir.Model, onnx_graphsurgeon.Graph)
    """A model in memory, which is given back in the kind that it came in."""


def refuse(kind: str, **options: object) -> None:
    """Refuse options that are for models of the other kind."""
    for name, value in options.items():
        if value is not None and value is not False:
            raise UsageError(f"{name} is for models of {kind}, and this is one of the other kind")


def files_of(model: object) -> list[Path]:
    """Return the file that a model is, if it's one."""
    return [Path(model)] if isinstance(model, (str, os.PathLike)) else []
