"""Read amounts that are written as text with a unit: `256 KiB`, `16 GB/s`, `1 GHz`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from onnxtile.errors import did_you_mean
from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.io.toml_files import toml_text
from onnxtile.ir.printable import several

BYTES = {
    "B": 1, "kB": 1000, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2, "GB": 1000**3, "GiB": 1024**3,
}  # fmt: skip
HERTZ = {"Hz": 1, "kHz": 1000, "MHz": 1000**2, "GHz": 1000**3}
BYTES_A_SECOND = {f"{unit}/s": factor for unit, factor in BYTES.items()}
BITS_A_SECOND = {f"{unit}bit/s": Fraction(1000**power, 8) for power, unit in enumerate(("", "k", "M", "G"))}
"""Bit rates, in bytes a second."""
A_SECOND = BYTES_A_SECOND | BITS_A_SECOND
"""The units of rates, in bytes a second."""
_TEXT = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]+(?:/s)?)\s*", re.ASCII)
_BITS = re.compile(r"([kKmMgG]?i?)b(?:/s|ps)?", re.ASCII)
_FRACTION = re.compile(r"[0-9]{1,99}/[1-9][0-9]{0,98}", re.ASCII)


def quantity(value: object, units: Mapping[str, int | Fraction], example: str) -> Fraction:
    """Return an amount in its base unit, exactly: a number as it is, text with one of `units`.

    Letters may be small or capital, but for the B of bytes: b is bits. Raises ValueError, with `example`, for anything
    else, for what isn't above 0, and for what no memory or clock has, so large or so close to 0 that floats of it
    overflow.
    """
    if words := bits_meant(value, units):
        raise ValueError(f"is {toml_text(value)}, and {words}")
    amount: Fraction | None = None
    if isinstance(value, bool):
        amount = None
    elif isinstance(value, (int, float, Fraction)):
        amount = Fraction(value) if 0 < value <= LARGEST else None  # not nan
    elif isinstance(value, str) and (read := _TEXT.fullmatch(value)):
        factor = next((number for unit, number in units.items() if unit.lower() == read[2].lower()), None)
        amount = None if factor is None else Fraction(read[1]) * factor
    if amount is None or not Fraction(1, LARGEST) <= amount <= LARGEST:
        raise ValueError(f"is {toml_text(value)}: write an amount above 0, such as {example}{_meant(value, units)}")
    return amount


def exact(number: Fraction) -> int | float | str:
    """Return a number as JSON has it, from which `fraction_of` makes the same one: as text where no float is equal.

    >>> exact(Fraction(16)), exact(Fraction(15, 4)), exact(Fraction(340, 7))
    (16, 3.75, '340/7')
    """
    if number.denominator == 1:
        return int(number)
    return float(number) if Fraction(float(number)) == number else str(number)


def fraction_of(value: object) -> object:
    """Return the fraction that a text such as `340/7` is; anything else as it is."""
    return Fraction(value) if isinstance(value, str) and _FRACTION.fullmatch(value) else value


def bits_meant(value: object, units: Mapping[str, int | Fraction]) -> str:
    """Return what to write instead of a b, which may be bits or bytes, where `units` are of bytes; else nothing."""
    read = _TEXT.fullmatch(value) if isinstance(value, str) else None
    bits = _BITS.fullmatch(read[2]) if read else None
    if read is None or bits is None or not {"B", "B/s"} & units.keys():
        return ""
    unit = next(unit for unit in BYTES if unit.lower() == f"{bits[1]}b".lower())
    if "B" in units:
        return f'b may be bits: write "{read[1]} {unit}"'
    rate = f', or "{read[1]} {unit.replace("K", "k")[:-1]}bit/s" for bits' if "i" not in unit else ""
    return f'b may be bits: write "{read[1]} {unit}/s" for bytes{rate}'


def _meant(value: object, units: Mapping[str, int | Fraction]) -> str:
    """Return a question after the unit that is close to the one that was written."""
    read = _TEXT.fullmatch(value) if isinstance(value, str) else None
    return did_you_mean(read[2], units) if read and read[2].lower() not in map(str.lower, units) else ""


def bytes_text(count: int) -> str:
    """Return bytes in the largest unit in which they are whole.

    >>> bytes_text(256 * 1024), bytes_text(1000), bytes_text(1)
    ('256 KiB', '1,000 bytes', '1 byte')
    """
    for unit in ("GiB", "MiB", "KiB"):
        if count % BYTES[unit] == 0:
            return f"{count // BYTES[unit]:,} {unit}"
    return several(count, "byte")


def hertz_text(clock: Fraction) -> str:
    """Return a clock in the largest unit in which it's 1 or more.

    >>> hertz_text(Fraction(1_500_000_000))
    '1.5 GHz'
    """
    unit, factor = next(((unit, factor) for unit, factor in reversed(HERTZ.items()) if clock >= factor), ("Hz", 1))
    return f"{number_text(clock / factor)} {unit}"


def number_text(number: Fraction | float) -> str:
    """Return a number to four digits, whole ones to all.

    >>> number_text(Fraction(1, 3)), number_text(1349.2), number_text(Fraction(65536))
    ('0.3333', '1,349', '65,536')
    """
    number = float(number)
    return f"{number:,.0f}" if number.is_integer() or number >= 1000 else f"{number:.4g}"
