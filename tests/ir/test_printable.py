"""Text from files can't steer a terminal, whatever its length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.ir.printable import LONGEST, SHORT, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 層", "plain ünïcode 層"), ("", ""), ("a\tb\r\n", r"a\tb\r\n"), ("\x1b[2J", r"\x1b[2J"),
        ("\u202egpj", r"\u202egpj"), ("\ud800", r"\ud800"), ("\x00\x7f\u200b", r"\x00\x7f\u200b"),
    ],
)  # fmt: skip
def test_what_steers_is_spelled_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize("longest", [0, 1, 2, 5, LONGEST])
def test_long_text_loses_its_middle(longest: int) -> None:
    whole = "a" * longest
    assert printable(whole, longest) == whole
    shown = printable(f"{whole}bc", longest)
    assert shown.endswith(f"({longest + 2:,} characters)")
    assert len(shown) < longest + 30


@given(st.text(max_size=300))
def test_printable_text_is_one_short_line(text: str) -> None:
    shown = printable(text, SHORT)
    assert shown.isprintable()
    assert shown == text or len(text) > SHORT or not text.isprintable()
    assert len(shown) <= SHORT * 10 + 30
