"""Shares in percent: what is nearly all isn't all, and what is nearly nothing isn't nothing."""

from __future__ import annotations

import pytest

from onnxtile.ir.symbolic.amounts import Range, Unknown
from onnxtile.ir.symbolic.rounded import count_text, percent_text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"), (1.0, "100%"), (1e-9, "0.1%"), (1 - 1e-9, "99.9%"), (0.12345, "12.3%"), (1.5, "150.0%"),
        (None, "?"),
    ],
)  # fmt: skip
def test_shares(share: float | None, text: str) -> None:
    assert percent_text(share) == text


def test_what_is_not_one_number() -> None:
    assert count_text(Range(0, 1500)) == "0 to 1.5 k"
    assert count_text(Unknown("why")) == "?"
