"""In what two values of a region's output differ, lane by lane, in words."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from onnxtile.verification.field import MAJORANT, MARKS
from onnxtile.verification.value import Value


class Unlike(NamedTuple):
    """In what two values differ: words, the elements, and the lane whose numbers say so."""

    words: str
    wrong: np.ndarray
    lane: int = 0


def difference(one: Value, other: Value) -> Unlike | None:
    """Return in what two values differ, or None."""
    everywhere = np.ones(other.shape, bool)
    if one.dtype != other.dtype:
        return Unlike(f"is {other.dtype.name}, not {one.dtype.name}", everywhere)
    if one.shape != other.shape:
        return Unlike(f"has shape {list(other.shape)}, not {list(one.shape)}", everywhere)
    if one is other or not math.prod(one.shape):
        return None
    apart = ~one.field.equal(one.lanes, other.lanes)
    if not one.dtype.is_floating_point():
        apart[MAJORANT:MARKS] = False  # sums of whole numbers are exact, whatever cancels in them
    if apart[:MAJORANT].any():
        return _unlike("isn't the same function of the operands", np.asarray(apart[:MAJORANT].any(0)), 0)
    if apart[MAJORANT:MARKS].any():
        words = "has terms that cancel, or products that are added more than once, which rounds otherwise"
        return _unlike(words, np.asarray(apart[MAJORANT:MARKS].any(0)), MAJORANT)
    for lane in range(MARKS, len(apart)):
        mark = one.field.mark_of(lane)
        if one.dtype.is_integer() and mark.is_integer() and mark.bitwidth >= one.dtype.bitwidth:
            continue  # modulo 2^n it's the same, wherever sums and products wrapped
        if apart[lane].any():
            return _unlike(f"is rounded by {mark.name} in another place", apart[lane], lane)
    none = np.zeros((one.field.lanes, *[1] * len(one.shape)))
    meets = [none if value.meets is None else value.meets for value in (one, other)]
    met = np.asarray((one.field.reduce(meets[0] - meets[1]) != 0)[:MARKS].any(0))
    words = "multiplies a constant zero and an operand's number, so that infinity becomes NaN"
    return _unlike(words, met, one.field.lanes) if met.any() else None


def _unlike(words: str, wrong: np.ndarray, lane: int) -> Unlike:
    first = [int(index) for index in np.argwhere(wrong)[0]]
    return Unlike(f"{words}: {int(wrong.sum()):,} of {wrong.size:,} elements, first at {first}", wrong, lane)
