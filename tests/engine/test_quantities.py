from __future__ import annotations

from fractions import Fraction

import pytest

from onnxtile.engine.quantities import BYTES, BYTES_A_SECOND, HERTZ, quantity


@pytest.mark.parametrize(
    ("text", "units", "amount"),
    [
        ("256 KiB", BYTES, 256 * 1024), ("1kb", BYTES, 1000), (4096, BYTES, 4096), ("1.5 GHz", HERTZ, 1_500_000_000),
        ("16 GB/s", BYTES_A_SECOND, 16 * 10**9), (0.5, {}, Fraction(1, 2)), (Fraction(15, 4), {}, Fraction(15, 4)),
    ],
)  # fmt: skip
def test_amounts_are_exact(text: object, units: dict[str, int], amount: Fraction) -> None:
    assert quantity(text, units, "") == amount


@pytest.mark.parametrize(
    "value", ["256 kibi", "", "0 B", 0, -1, True, None, float("nan"), float("inf"), 10**30, 5e-324, "1 GB/s"]
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match='write an amount above 0, such as "256 KiB"'):
        quantity(value, BYTES, '"256 KiB"')
