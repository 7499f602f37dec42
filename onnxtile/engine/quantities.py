"""Read amounts that are written as text with a unit: `256 KiB`, `16 GB/s`, `1 GHz`."""

from __future__ import annotations

import re
from fractions import Fraction

from onnxtile.engine.mistakes import toml_text
from onnxtile.errors import did_you_mean
from onnxtile.ir.dimensions import LARGEST

BYTES = {
    "B": 1, "kB": 1000, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2, "GB": 1000**3, "GiB": 1024**3,
}  # fmt: skip
HERTZ = {"Hz": 1, "kHz": 1000, "MHz": 1000**2, "GHz": 1000**3}
BYTES_A_SECOND = {f"{unit}/s": factor for unit, factor in BYTES.items()}
_TEXT = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]+(?:/s)?)\s*", re.ASCII)


def quantity(value: object, units: dict[str, int], example: str) -> Fraction:
    """Return an amount in its base unit, exactly: a number as it is, text with one of `units`.

    Raises ValueError, with `example`, for anything else, for what isn't above 0, and for what no memory or clock has.
    """
    amount: Fraction | None = None
    if isinstance(value, bool):
        amount = None
    elif isinstance(value, (int, float, Fraction)):
        amount = Fraction(value) if 0 < value <= LARGEST else None  # not nan
    elif isinstance(value, str) and (read := _TEXT.fullmatch(value)):
        factor = next((number for unit, number in units.items() if unit.lower() == read[2].lower()), None)
        amount = None if factor is None else Fraction(read[1]) * factor
    if amount is None or not 0 < amount <= LARGEST:
        raise ValueError(f"is {toml_text(value)}: write an amount above 0, such as {example}{_meant(value, units)}")
    return amount


def _meant(value: object, units: dict[str, int]) -> str:
    """Return a question after the unit that is close to the one that was written."""
    read = _TEXT.fullmatch(value) if isinstance(value, str) else None
    return did_you_mean(read[2], units) if read and read[2].lower() not in map(str.lower, units) else ""
