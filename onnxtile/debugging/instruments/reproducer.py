"""Write what is needed to repeat the failure of a pass."""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Sequence
from pathlib import Path

import onnx_ir as ir

from onnxtile.debugging.reproducer import MODEL, TRACEBACK, write_model, write_report
from onnxtile.errors import OnnxtileError, PassError
from onnxtile.ir.io.files import check_new_folder, new_folder
from onnxtile.ir.io.load import copy_of
from onnxtile.ir.names import spellings
from onnxtile.passes.instrument import Instrument, Turn
from onnxtile.passes.manager import is_refusal


class Reproducer(Instrument):
    """Writes a folder where a pass fails: the model before it, the pipeline from it on, versions and traceback.

    `command.txt` in it repeats the failure. The error says where the folder is. Failures are PassErrors: what a pass
    says on purpose (a bad call, a model that it doesn't take, a product over the limits) leaves nothing.
    """

    def __init__(self, folder: str | os.PathLike[str], numbered: bool = False, options: Sequence[str] = ()) -> None:
        """`folder` must be new or empty, or else, with `numbered`, `folder.1`, `folder.2`, ... is taken.

        `options`: what else `onnxtile run` needs to show the failure. UsageError for a folder that can't be made.
        """
        folders = map(Path, spellings(os.fspath(folder)))
        self._folder = next(path for path in folders if not (numbered and path.exists()))
        self._options = tuple(options)
        check_new_folder(self._folder)
        self._before: ir.Model | None = None

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        self._before = copy_of(model)

    def on_failure(self, turn: Turn, error: OnnxtileError) -> OnnxtileError:
        if is_refusal(error) or not isinstance(error, PassError):
            return error
        assert self._before is not None
        try:
            with new_folder(self._folder) as temporary:
                self._write(turn, error, self._before, temporary)
        except OnnxtileError as other:
            return type(error)(f"{error}; no reproducer: {other}")
        return type(error)(f"{error}; {self._folder} has what repeats it")

    def _write(self, turn: Turn, error: OnnxtileError, model: ir.Model, folder: Path) -> None:
        write_model(model, folder / MODEL)
        told = "".join(traceback.format_exception(error))
        (folder / TRACEBACK).write_text(told, encoding="utf-8", errors="backslashreplace")
        report = {"schema": "onnxtile.reproducer/1", "pass": turn.name, "error": str(error), "passes": turn.remaining}
        words = ["onnxtile", "run", str(self._folder / MODEL), "--passes", turn.remaining, *self._options]
        write_report(folder, report, [shlex.join([*words, "-o", str(self._folder / "out.onnx")])])
