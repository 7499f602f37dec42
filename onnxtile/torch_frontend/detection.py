"""Tell models of torch from models of ONNX, without importing torch."""

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
    """Return whether it's a module or exported program, or names one: a file that torch writes, `module:callable`."""
    if isinstance(model, (str, os.PathLike)):
        text = os.fspath(model)
        return isinstance(text, str) and (text.endswith(TORCH_FILES) or names_callable(text))
    return any((cls.__module__, cls.__name__) in _CLASSES for cls in type(model).__mro__)


def names_callable(text: str) -> bool:
    """Return whether a text is a `module:callable`, and no file's name."""
    return _CALLABLE.fullmatch(text) is not None and not Path(text).exists()
