from __future__ import annotations

import re

from tests.commands import Cli


def test_paragraphs_fill_their_lines_and_flags_have_no_type(cli: Cli) -> None:
    status, out, _ = cli("lower", "--help")
    assert status == 0 and "--verify" in out
    assert re.search(r"listed with the reason\.\s+A model of\s+torch is", out)
    assert not re.search(r"A model of *\n", out)  # where the docstring breaks
    for call in (["lower"], ["engine", "check"], ["engine"], []):
        assert "<bool>" not in cli(*call, "--help")[1]
