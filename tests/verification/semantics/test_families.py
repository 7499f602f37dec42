"""Every file of the list is imported, so that its operators are on it."""

from __future__ import annotations

from pathlib import Path

from onnxtile.verification.semantics import families
from onnxtile.verification.semantics.entry import OPERATORS


def test_each_file_that_lists_operators_is_imported() -> None:
    folder = Path(families.__file__).parent
    listing = {path.stem for path in folder.glob("*.py") if "\n@operator(" in path.read_text()}
    assert listing <= set(vars(families))
    assert ("", "MatMul") in OPERATORS
