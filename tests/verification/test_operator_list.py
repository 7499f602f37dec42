"""docs/proof.md has the list of operators that the proof evaluates, and what each of their inputs is taken as."""

from __future__ import annotations

import runpy

from tests.support import ROOT

DOCUMENT = runpy.run_path(str(ROOT / "docs" / "proof.py"))


def test_the_page_has_the_list() -> None:
    text = (ROOT / "docs" / "proof.md").read_text()
    assert text == DOCUMENT["page"](), "refresh it: python docs/proof.py"
    assert "| MatMul |" in text
