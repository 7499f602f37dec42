from __future__ import annotations

from fractions import Fraction

import pytest

from onnxtile.engine.quantities import A_SECOND, BYTES, HERTZ, quantity


@pytest.mark.parametrize(
    ("text", "units", "amount"),
    [
        ("256 KiB", BYTES, 256 * 1024), ("1KB", BYTES, 1000), (4096, BYTES, 4096), ("1.5 GHz", HERTZ, 1_500_000_000),
        ("16 GB/s", A_SECOND, 16 * 10**9), ("51.2 Gbit/s", A_SECOND, 6_400_000_000),
        ("1 bit/s", A_SECOND, Fraction(1, 8)), ("2 giB", BYTES, 2 << 30), (0.5, {}, Fraction(1, 2)),
        (Fraction(15, 4), {}, Fraction(15, 4)),
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


@pytest.mark.parametrize(
    ("text", "units", "words"),
    [
        ("51.2 Gb/s", A_SECOND, 'write "51.2 GB/s" for bytes, or "51.2 Gbit/s" for bits'),
        ("16Gbps", A_SECOND, 'write "16 GB/s" for bytes, or "16 Gbit/s" for bits'),
        ("8 b/s", A_SECOND, 'write "8 B/s" for bytes, or "8 bit/s" for bits'),
        ("1 Kb/s", A_SECOND, 'write "1 kB/s" for bytes, or "1 kbit/s" for bits'),
        ("1 Kib/s", A_SECOND, 'write "1 KiB/s" for bytes'),
        ("256 kb", BYTES, 'write "256 kB"'), ("4 mib", BYTES, 'write "4 MiB"'),
    ],
)  # fmt: skip
def test_a_b_that_may_be_bits_is_refused(text: str, units: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=f'is "{text}", and b may be bits: {words}$'):
        quantity(text, units, "")
