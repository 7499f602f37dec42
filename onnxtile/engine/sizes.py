"""Sizes of tiles and blocks that are worth trying along an axis: those at which a count changes."""

from __future__ import annotations

from onnxtile.errors import UnsupportedError


def largest_tile(length: int, most: int | None, multiple: int) -> int:
    """Return the largest size of a call along an axis. Raises UnsupportedError where no call is small enough."""
    if most is None or -(-length // multiple) * multiple <= most:
        return length
    if most < multiple:
        raise UnsupportedError(f"a call of at most {most} can't be a multiple of {multiple}")
    return most // multiple * multiple


def counts(length: int, step: int) -> list[int]:
    """Return the sizes, multiples of `step` or the whole length, each the smallest with its number of parts."""
    found = []
    size = step
    while size < length:
        found.append(size)
        number = -(-length // size)
        next_even = -(-length // (number - 1))
        size = max(size + step, -(-next_even // step) * step)
    return [*found, length]
