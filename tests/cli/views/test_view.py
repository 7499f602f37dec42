"""Views write amounts in few digits, and refuse options that they have no use for."""

from __future__ import annotations

import pytest

from onnxtile.cli.views.comparison import ComparisonView
from onnxtile.cli.views.view import bytes_text
from onnxtile.errors import UsageError
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown, symbol
from onnxtile.ir.symbolic.rounded import count_text


@pytest.mark.parametrize(
    ("amount", "count", "size"),
    [
        (0, "0", "0"), (999, "999", "999 bytes"), (999_499, "999 k", "999.5 kB"), (999_500, "1000 k", "999.5 kB"),
        (4_090_000_000, "4.09 G", "4.1 GB"), (Range(1000, None), "1 k or more", "1.0 kB or more"),
        (Range(1, 2000), "1 to 2 k", "1 byte to 2.0 kB"), (symbol("n"), "n", "n"), (Unknown("why"), "?", "?"),
    ],
)  # fmt: skip
def test_amounts_in_few_digits(amount: Amount, count: str, size: str) -> None:
    assert (count_text(amount), bytes_text(amount)) == (count, size)


def test_options_that_a_view_accepts_and_others() -> None:
    options = {"--against": "m.onnx", "--convention": "ptflops", "--top": 0, "--by": None}
    ComparisonView.reject_options("--against", options)
    with pytest.raises(UsageError, match="^--against is a table of its own and takes no --top, --by; leave that out$"):
        ComparisonView.reject_options("--against", options | {"--top": 3, "--by": "op"})
