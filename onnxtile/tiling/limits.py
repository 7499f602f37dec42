"""The size of the matrix engine: the largest M, K and N of one product."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import SupportsIndex

from onnxtile.errors import UsageError
from onnxtile.ir.dimensions import LARGEST

_CURE = "give three whole numbers above 0, or * for no limit, such as 64,64,64 or *,128,128"


@dataclass(frozen=True, repr=False)
class Limits:
    """The engine computes C[m, n] = sum over k of A[m, k] * B[k, n] for m <= `m`, k <= `k`, n <= `n`.

    None means that the axis isn't limited. Raises UsageError for a limit below 1.

    >>> print(Limits.parse("64,*,128"))
    64,*,128
    """

    m: int | None
    k: int | None
    n: int | None

    def __post_init__(self) -> None:
        for axis in "mkn":
            limit = getattr(self, axis)
            if limit is None:
                continue
            whole = isinstance(limit, SupportsIndex) and not isinstance(limit, bool)
            number = operator.index(limit) if whole else 0  # of any kind, numpy's among them
            if not 1 <= number <= LARGEST:
                raise UsageError(f"limit {axis.upper()} is {limit!r}: {_CURE}")
            object.__setattr__(self, axis, number)

    @property
    def axes(self) -> tuple[int | None, int | None, int | None]:
        return (self.m, self.k, self.n)

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Read limits from text such as `64,64,64` or `*,128,128`; UsageError otherwise."""
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 3:
            raise UsageError(f"limits {text!r} have {len(parts)} part(s), not the 3 of M,K,N: {_CURE}")
        return cls(*(_parse_limit(part, text) for part in parts))

    @classmethod
    def of(cls, value: Limits | str | tuple[int | None, int | None, int | None]) -> Limits:
        """Accept limits in any form a caller may have them: Limits, text, or a sequence of three."""
        if isinstance(value, Limits):
            return value
        if isinstance(value, str):
            return cls.parse(value)
        try:
            m, k, n = value
        except (TypeError, ValueError) as error:
            raise UsageError(f"limits {value!r} aren't the three of M, K, N: {_CURE}") from error
        return cls(m, k, n)

    def __repr__(self) -> str:
        return ",".join("*" if limit is None else str(limit) for limit in self.axes)


UNLIMITED = Limits(None, None, None)
AnyLimits = Limits | str | tuple[int | None, int | None, int | None]


def _parse_limit(part: str, text: str) -> int | None:
    if part == "*":
        return None
    if not (part.isascii() and part.isdigit() and len(part) < 20) or not 1 <= int(part) <= LARGEST:
        raise UsageError(f"limits {text!r}: {part!r} isn't a limit: {_CURE}")
    return int(part)
