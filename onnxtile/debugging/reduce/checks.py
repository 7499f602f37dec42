"""Check whether a lowered model is right: by our own verification, a command, or a function of the caller's."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from onnxtile.debugging.instruments.verify_each import what_differs
from onnxtile.debugging.reproducer import write_model
from onnxtile.errors import UsageError, system_words

ORIGINAL, RESULT = "{original}", "{lowered}"
TIMEOUT = 60.0
"""Seconds that a command may take."""


Check = Callable[[ir.Model, ir.Model, Mapping[str, int]], str | None]
"""Returns what is wrong with the second model, which the first was lowered to, or None.

The sizes are what passes bound free dimensions to. Raises one of our errors where that can't be told.
"""


@dataclass(frozen=True)
class VerifyCheck:
    """The lowered model must be equivalent by `verify`."""

    cases: int = 4
    seed: int = 0

    def __call__(self, original: ir.Model, lowered: ir.Model, sizes: Mapping[str, int]) -> str | None:
        return what_differs(original, lowered, sizes, self.cases, self.seed)


class CommandCheck:
    """A command must end with status 0; in its arguments `{original}` and `{lowered}` stand for the models' files.

    It's run without a shell, in the current folder.
    """

    def __init__(self, text: str, timeout: float = TIMEOUT, timeout_fails: bool = False) -> None:
        """`timeout`: seconds; longer is an error, or a failure with `timeout_fails`.

        Raises UsageError for text that isn't a command, and for one that isn't there.
        """
        try:
            self.words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"check {text!r} can't be read: {str(error).lower()}") from error
        if not self.words or shutil.which(self.words[0]) is None:
            program = self.words[0] if self.words else ""
            raise UsageError(f"check {text!r}: there's no program {program!r}; give its path, or mend PATH")
        if not any(RESULT in word for word in self.words):
            raise UsageError(f"check {text!r} doesn't look at the result: write {RESULT} where its path belongs")
        if not timeout > 0:
            raise UsageError(f"the check's timeout is {timeout:g} s: give more than 0")
        self._text, self._timeout, self._timeout_fails = text, timeout, timeout_fails

    def __call__(self, original: ir.Model, lowered: ir.Model, sizes: Mapping[str, int]) -> str | None:
        with tempfile.TemporaryDirectory(prefix="onnxtile-") as folder:
            paths = (Path(folder, "original.onnx"), Path(folder, "lowered.onnx"))
            for model, path in zip((original, lowered), paths, strict=True):
                write_model(model, path)
            with Path(folder, "output").open("w+b") as output:  # a file: pipes stay open in what the command started
                try:
                    done = subprocess.run(  # noqa: S603  # the user's own command
                        self.filled_in(*paths), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                        timeout=self._timeout, check=False,
                    )  # fmt: skip
                except subprocess.TimeoutExpired as error:
                    words = f"the check took more than {self._timeout:g} s"
                    if self._timeout_fails:
                        return words
                    raise UsageError(f"{words}: give --timeout more, or --timeout-fails to take it for a no") from error
                except OSError as error:
                    raise UsageError(f"check {self._text!r} can't be run: {system_words(error)}") from error
                output.seek(0)
                said = output.read().decode(errors="replace").strip().splitlines()
        words = f"the check ended with status {done.returncode}"
        return None if done.returncode == 0 else words + (f": {said[-1].strip()[:200]}" if said else "")

    def filled_in(self, original: Path, lowered: Path) -> list[str]:
        """Return the command's words with the paths of both models."""
        return [word.replace(ORIGINAL, str(original)).replace(RESULT, str(lowered)) for word in self.words]
