"""Write what repeats a failure: the model, what was run, and with which versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx_ir as ir

from onnxtile.ir.json_encoding import json_text
from onnxtile.lowering.model_file import save
from onnxtile.tiling.forms.table import FORMS

LIBRARIES = ("numpy", "onnx", "onnx-ir", "onnx-shape-inference", "onnxruntime")
MODEL, LOWERED, INPUTS = "model.onnx", "lowered.onnx", "inputs.npz"
COMMAND, REPORT, TRACEBACK = "command.txt", "report.json", "traceback.txt"


def versions() -> dict[str, str]:
    """Return the versions of Python, of onnxtile and of the libraries that passes and engines stand on."""
    from onnxtile import __version__

    return {"onnxtile": __version__, "python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def write_model(model: ir.Model, path: Path) -> None:
    """Write a model as passes see it: calls of tiled products and their functions stay as they are."""
    save(model, path, FORMS["function"], "pretile")


def write_report(folder: Path, report: Mapping[str, Any], commands: Sequence[str]) -> None:
    """Write the report, the versions with it, and the commands that repeat the failure, a line each."""
    (folder / REPORT).write_text(json_text({**report, "versions": versions()}))
    (folder / COMMAND).write_text("".join(f"{command}\n" for command in commands), "utf-8", "surrogateescape")
