"""Limits are read in each form that a caller may have, and wrong ones are refused by name."""

from __future__ import annotations

import pytest

from onnxtile.errors import UsageError
from onnxtile.tiling.limits import Limits


@pytest.mark.parametrize(("text", "axes"), [("64,64,64", (64, 64, 64)), (" * ,128, 1", (None, 128, 1))])
def test_limits_read(text: str, axes: tuple[int | None, int | None, int | None]) -> None:
    assert Limits.parse(text).axes == axes
    assert Limits.of(axes) == Limits.of(Limits.parse(text)) == Limits.parse(str(Limits.parse(text)))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0,64,64", "'0' isn't a limit"),
        ("-1,64,64", "'-1' isn't a limit"),
        ("64,64", "have 2 parts, not"),
        ("64,64,64,64", "have 4 parts, not"),
        ("a,b,c", "'a' isn't a limit"),
        ("", "have 1 part, not"),
        (
            f"{2**63},1,1",
            "'9223372036854775808,1,1': 9223372036854775808 is over 9223372036854775807, the largest limit",
        ),
        ("1,1," + "9" * 10_000, "characters.* is over 9223372036854775807, the largest limit: write . for none$"),
        ((1, 2**63, 1), "limit K: 9223372036854775808 is over"),
        ("64,,64", "'' isn't a limit"),
        ("1e3,1,1", "'1e3' isn't a limit"),
        ("64,64,64:conv", "'64:conv' isn't a limit"),
        (":matmul", "have 1 part, not"),
        ((0, 1, 1), "limit M is 0"),
        ((1, True, 1), "limit K is True"),
        ((1, 1, 2.5), "limit N is 2.5"),
        ((64, 64), "aren't the three"),
        (64, "aren't the three"),
    ],
)
def test_bad_limits_are_refused(value: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Limits.of(value)  # type: ignore[arg-type]  # that's the point


def test_limits_of_an_engine_that_runs_products_alone() -> None:
    limits = Limits.parse("*,32,32:matmul")
    assert (limits.axes, limits.only_matmul) == ((None, 32, 32), True)
    assert Limits.parse(str(limits)) == limits != Limits.parse("*,32,32")
