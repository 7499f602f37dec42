"""Values of a field as `--vary` writes them: numbers with units, sizes such as 16x32, words, and ranges of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from onnxtile.engine.quantities import BITS_A_SECOND, BYTES, BYTES_A_SECOND, HERTZ, bits_meant, quantity
from onnxtile.errors import UsageError

MOST_ENGINES = 1_000_000
"""Engines of one sweep, and so values of one field."""
CURE = "write FIELD=VALUE,VALUE or FIELD=FIRST:LAST:xFACTOR (or :+STEP), such as local.size=64KiB:4MiB:x2"
_SIZES = re.compile(r"(?:(\d{1,18}|\*)x)?(\d{1,18}|\*)x(\d{1,18}|\*)", re.ASCII)
_NUMBER = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-z]+(?:/s)?)?", re.ASCII)
_UNITS: tuple[Mapping[str, int | Fraction], ...] = (BYTES, BYTES_A_SECOND, BITS_A_SECOND, HERTZ)


@dataclass(frozen=True)
class Value:
    """A value that a field takes: as the file would hold it, and as tables show it."""

    content: Any
    text: str


def parse_values(text: str, path: str) -> Iterator[Value]:
    """Yield the values between commas, those of ranges one by one; raises UsageError. `path`: the field, for errors."""
    for part in text.split(","):
        yield from _values(part.strip(), path)


def _values(text: str, path: str) -> Iterator[Value]:
    """Yield one value, or those of a range."""
    if ":" in text:
        yield from _range(text, path)
    elif sizes := _SIZES.fullmatch(text):
        axes = {axis: size for axis, size in zip("MKN", sizes.groups(), strict=True) if size is not None}
        yield Value({axis: None if size == "*" else int(size) for axis, size in axes.items()}, text)
    elif text in ("true", "false"):
        yield Value(text == "true", text)
    elif _NUMBER.fullmatch(text):
        yield _as_value(*_amount(text, path), binary=_is_binary(text))
    elif re.fullmatch(r"[A-Za-z]\w*", text, re.ASCII):
        yield Value(text, text)
    else:
        raise UsageError(f"--vary {path}: {text!r} is no value: {CURE}")


def _range(text: str, path: str) -> Iterator[Value]:
    """Yield the values of FIRST:LAST:xFACTOR or FIRST:LAST:+STEP, LAST among them where a step meets it."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) != 3 or parts[2][:1] not in ("x", "+"):
        raise UsageError(f"--vary {path}: {text!r} is no range: {CURE}")
    (first, units), (last, units_of_last) = _amount(parts[0], path), _amount(parts[1], path)
    times = parts[2][0] == "x"
    step, units_of_step = _amount(parts[2][1:], path)
    if units != units_of_last or units_of_step != ({} if times else units):
        raise UsageError(f"--vary {path}: {text!r} counts in different units: write them as 64KiB:4MiB:x2")
    if last < first or (times and (step <= 1 or first == 0)) or step == 0:
        raise UsageError(f"--vary {path}: {text!r} never gets from its first value to its last")
    count, value = 0, first
    while value <= last:
        count += 1
        if count > MOST_ENGINES:
            raise UsageError(f"--vary {path}: {text!r} has more than {MOST_ENGINES:,} values; take larger steps")
        if value.denominator.bit_length() > 60:
            raise UsageError(f"--vary {path}: {text!r} gets to values of too many decimals; take another factor")
        yield _as_value(value, units, binary=_is_binary(parts[0]))
        value = value * step if times else value + step


def _is_binary(text: str) -> bool:
    """Return whether a unit, or an amount in one, is of 1,024."""
    return "ib" in text.lower()


def _amount(text: str, path: str) -> tuple[Fraction, Mapping[str, int | Fraction]]:
    """Return a number in its base unit, and the units that it's one of ({}: none)."""
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise UsageError(f"--vary {path}: {text!r} is no number: {CURE}")
    if not number[2]:
        return Fraction(number[1]), {}
    for units in _UNITS:
        try:
            return quantity(text, units, ""), units
        except ValueError:
            continue
    if words := bits_meant(text, BYTES_A_SECOND if "s" in number[2] else BYTES):
        raise UsageError(f"--vary {path}: {text!r}: {words}")
    raise UsageError(f"--vary {path}: {text!r} has a unit that isn't known; write it such as 64KiB, 16GB/s or 1GHz")


def _as_value(number: Fraction, units: Mapping[str, int | Fraction], binary: bool) -> Value:
    """Return a number as an engine file has it, in the largest unit that it's one or more of."""
    if not units:
        whole = int(number) if number.denominator == 1 else float(number)
        return Value(whole, str(whole))
    kind = [(factor, name) for name, factor in units.items() if factor == 1 or _is_binary(name) == binary]
    factor, name = max((unit for unit in kind if unit[0] <= number), default=min(kind))
    text = f"{_decimal(number / factor)} {name}"
    return Value(text, text)


def _decimal(number: Fraction) -> str:
    """Return a number as decimals, all of them: its denominator has no other factors than 2 and 5."""
    digits = 0
    while (number * 10**digits).denominator != 1:
        digits += 1
    whole = str(int(number * 10**digits)).rjust(digits + 1, "0")
    return f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
