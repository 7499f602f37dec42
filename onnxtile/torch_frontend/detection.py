"""Is a model one of torch, or ONNX? Told without importing torch."""

from __future__ import annotations

import os
import re
from pathlib import Path

TORCH_FILES = (".pt", ".pth", ".pt2", ".torchscript")
"""Endings of files that torch writes."""
_CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_CLASSES = {
    ("torch.nn.modules.module", "Module"),
    ("torch.jit._script", "ScriptModule"),
    ("torch.export.exported_program", "ExportedProgram"),
}


def is_torch(model: object) -> bool:
    """Whether it's a module or exported program of torch, or names one: a file that torch writes, `module:callable`."""
    if isinstance(model, (str, os.PathLike)):
        text = os.fspath(model)
        return isinstance(text, str) and (
            text.endswith(TORCH_FILES) or (_CALLABLE.fullmatch(text) is not None and not Path(text).exists())
        )
    return any((cls.__module__, cls.__name__) in _CLASSES for cls in type(model).__mro__)
