"""Write the model after a pass to a file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import onnx_ir as ir

from onnxtile.debugging.reproducer import write_model
from onnxtile.errors import UsageError, did_you_mean
from onnxtile.ir.io.files import check_output
from onnxtile.passes.instrument import Instrument, Turn
from onnxtile.passes.registry import full_name, pass_name

ALL = "all"


class DumpAfter(Instrument):
    """Writes the model after a pass, or after each, as `directory/NN-pass.onnx`; NN counts the passes from 01.

    Calls of tiled products stay calls, as passes see them. Files of the same names are replaced.
    """

    def __init__(
        self,
        which: str,
        directory: str | os.PathLike[str],
        keep: Sequence[Path] = (),
        elsewhere: Sequence[str] = (),
    ) -> None:
        """`which`: the name of a pass, or all.

        `keep`: files that mustn't be replaced; `elsewhere`: names of passes that other pipelines run which this
        instrument watches too. Raises UsageError for a directory that isn't one and can't be made.
        """
        self._which, self._directory, self._keep = which, Path(directory), tuple(keep)
        self._elsewhere = tuple(elsewhere)
        self._count = 0
        if self._directory.exists() and not self._directory.is_dir():
            raise UsageError(f"dumps go to a folder, and {directory} isn't one")
        if not self._directory.parent.is_dir():
            raise UsageError(f"dumps: the folder of {directory} doesn't exist; make {self._directory.parent} first")

    def before_pipeline(self, passes: Sequence[ir.passes.PassBase]) -> None:
        known = dict.fromkeys([*self._elsewhere, *map(pass_name, passes)])
        if not any(map(self._is_meant, passes)) and self._which not in (ALL, *self._elsewhere):
            words = f"no pass {self._which!r} in the pipeline to dump after: it has {', '.join(known)}"
            raise UsageError(words + did_you_mean(self._which, [ALL, *known]))

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        self._count += 1
        if not self._is_meant(turn.pass_):
            return
        self._directory.mkdir(exist_ok=True)
        path = self._directory / f"{self._count:02}-{re.sub(r'[^A-Za-z0-9_-]', '_', turn.name)}.onnx"
        if path.is_symlink():
            raise UsageError(f"dump {path} is a link, perhaps out of its folder; remove it, or give another folder")
        check_output(path, *self._keep)
        write_model(model, path)

    def _is_meant(self, one: ir.passes.PassBase) -> bool:
        """Return whether a pass is meant: by its name, with or without its module."""
        return self._which in (ALL, pass_name(one), full_name(type(one)))
