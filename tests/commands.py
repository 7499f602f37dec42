"""Every command on one model file, in this process: what must hold whatever the model is like."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from onnxtile.cli.app import main
from tests.support import Feeds

Cli = Callable[..., tuple[int, str, str]]
"""The fixture `cli`: runs the program, and gives exit status, standard output and standard error."""
FORMS = ("unrolled", "batched", "loop", "function")


def status(*arguments: object) -> int:
    """The program's exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["onnxtile", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def in_every_form(
    model: Path, limits: str, feeds: Feeds, forms: Sequence[str] = FORMS, folder: Path | None = None, *options: str
) -> list[Path]:
    """Lower to each form, and hold each result to what every command says of it; returns the files."""
    folder = folder or model.parent
    given = folder / "feeds.npz"
    np.savez(given, **feeds)
    written = []
    for form in forms:
        output = folder / f"{form}.onnx"
        assert status("lower", model, "--max", limits, "--form", form, "-o", output, *options) == 0
        assert status("check", output, "--max", limits, *options) == 0
        assert status("verify", model, output, *options) == 0
        assert status("profile", model, "--against", output, *options) == 0
        assert status("capture", output, "--name", "*", "--input", given, "-o", folder / f"{form}.npz", *options) == 0
        written.append(output)
    return written


def whole_model(model: Path, limits: str, feeds: Feeds, folder: Path | None = None, *options: str) -> None:
    """Return what the commands that read one model make of it."""
    folder = folder or model.parent
    given = folder / "feeds.npz"
    np.savez(given, **feeds)
    assert status("check", model, "--max", limits, *options) == 1
    assert status("profile", model, *options) == 0
    assert status("profile", model, "--summary", *options) == 0
    assert status("profile", model, "--view", "first-io", *options) == 0
    assert status("annotate", model, "-o", folder / "annotated.onnx", *options) == 0
    assert status("verify", "--method", "bound", "--input", given, model, folder / "annotated.onnx", *options) == 0
    assert status("capture", model, "--name", "*", "--input", given, "-o", folder / "values.npz", *options) == 0
    passes = ("--passes", "infer-shapes", "--verify-each")
    assert status("run", model, *passes, "-o", folder / "run.onnx", *options) == 0


def one_line(result: tuple[int, str, str], words: str) -> None:
    """Assert that a call ended with status 2 and one line that has these words (a pattern)."""
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("onnxtile: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert re.search(words, err), err


def exact(words: str) -> str:
    """The pattern that these words match, and no others."""
    return f"^{re.escape(words)}$"
