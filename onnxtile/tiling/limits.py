"""Limits of one call of a matrix engine: the largest M, K and N, the same for all products or not."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, SupportsIndex

from onnxtile.errors import UsageError
from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.printable import SHORT, printable, several

if TYPE_CHECKING:
    from onnxtile.operators.contractions import Contraction
    from onnxtile.operators.registry import Types

_CURE = "give three whole numbers above 0, or * for no limit, such as 64,64,64 or *,128,128"
_ONLY_MATMUL = ":matmul"
PRODUCTS = frozenset({("", "MatMul"), ("", "MatMulInteger"), ("com.microsoft", "MatMulNBits")})
"""Operators that are one matrix product and nothing else: what the others are written out as."""


@dataclass(frozen=True)
class Tiles:
    """The largest tile of a product that is cut, and how its tiles run.

    `schedule`: as metadata has it (SCHEDULE in `ir/metadata.py`); '': none was chosen, and `why` says so where one was
    asked for.
    """

    largest: Limits
    schedule: str = ""
    why: str = ""


class ProductLimits(ABC):
    """The largest call of an engine, product by product.

    `by_types`: it depends on the types of the operands, which have to be known.
    """

    by_types: ClassVar[bool] = True

    @property
    @abstractmethod
    def option(self) -> str:
        """Return what an option of a pass is set to for the same."""

    @abstractmethod
    def unmultiplied(self, types: Types) -> str | None:
        """Return why the engine doesn't multiply operands of these known types, A's and B's; None: it does."""

    @abstractmethod
    def refusal(self, product: Contraction) -> str | None:
        """Return why the engine multiplies no tile of a product of known types; None: it does."""

    @property
    @abstractmethod
    def takes_convolutions(self) -> bool:
        """Return whether the engine runs Conv."""

    @abstractmethod
    def takes(self, product: Contraction) -> bool:
        """Return whether the engine runs the product's operator; else it's written out, however small it is."""

    @abstractmethod
    def narrow(self, products: bool) -> ProductLimits:
        """Return the limits where partial products of float16 and bfloat16 stay in their type, or don't."""

    @abstractmethod
    def for_types(self, types: Types) -> Limits:
        """Return the largest call of operands of these types, which the engine multiplies."""

    @abstractmethod
    def for_all_types(self) -> Limits:
        """Return the largest call, where that's the same for all types; UsageError where it isn't."""

    @abstractmethod
    def for_product(self, product: Contraction) -> Limits:
        """Return the most that a call for the product may have: the product stays whole where it has no more."""

    @abstractmethod
    def multiples(self, product: Contraction) -> tuple[int, int, int]:
        """Return the multiples of M, K and N that the engine fills the sizes of a product's calls up to."""

    @abstractmethod
    def tiles(self, product: Contraction) -> Tiles:
        """Return the tiles of a product that doesn't stay whole."""


@dataclass(frozen=True, repr=False)
class Limits(ProductLimits):
    """The engine computes C[m, n] = sum over k of A[m, k] * B[k, n] for m <= `m`, k <= `k`, n <= `n`.

    None means that the axis isn't limited. `only_matmul`: it runs no operator but products, so that a Conv or an LSTM
    is written out even where its products are within the limits. Raises UsageError for a limit below 1.

        >>> print(Limits.parse("64,*,128"))
        64,*,128
    """

    m: int | None
    k: int | None
    n: int | None
    only_matmul: bool = False
    by_types: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for axis in "mkn":
            limit = getattr(self, axis)
            if limit is None:
                continue
            whole = isinstance(limit, SupportsIndex) and not isinstance(limit, bool)
            number = operator.index(limit) if whole else 0  # of any kind, numpy's among them
            if number > LARGEST:
                raise UsageError(f"limit {axis.upper()}: {_too_large(number)}")
            if number < 1:
                raise UsageError(f"limit {axis.upper()} is {limit!r}: {_CURE}")
            object.__setattr__(self, axis, number)

    @property
    def axes(self) -> tuple[int | None, int | None, int | None]:
        return (self.m, self.k, self.n)

    @property
    def option(self) -> str:
        return repr(self)

    def unmultiplied(self, types: Types) -> str | None:
        return None

    def refusal(self, product: Contraction) -> str | None:
        return None

    @property
    def takes_convolutions(self) -> bool:
        return not self.only_matmul

    def takes(self, product: Contraction) -> bool:
        return not self.only_matmul or (product.node.domain, product.node.op_type) in PRODUCTS

    def narrow(self, products: bool) -> Limits:
        return self

    def for_types(self, types: Types) -> Limits:
        return self

    def for_all_types(self) -> Limits:
        return self

    def for_product(self, product: Contraction) -> Limits:
        return self

    def multiples(self, product: Contraction) -> tuple[int, int, int]:
        return 1, 1, 1

    def tiles(self, product: Contraction) -> Tiles:
        return Tiles(self)

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Read limits from text such as `64,64,64`, `*,128,128` or `64,64,64:matmul`; UsageError otherwise."""
        sizes = text.removesuffix(_ONLY_MATMUL)
        parts = [part.strip() for part in sizes.split(",")]
        if len(parts) != 3:
            raise UsageError(f"limits {text!r} have {several(len(parts), 'part')}, not the 3 of M,K,N: {_CURE}")
        m, k, n = (_parse_limit(part, text) for part in parts)
        return cls(m, k, n, only_matmul=sizes != text)

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
        sizes = ",".join("*" if limit is None else str(limit) for limit in self.axes)
        return f"{sizes}{_ONLY_MATMUL}" if self.only_matmul else sizes


UNLIMITED = Limits(None, None, None)
AnyLimits = Limits | str | tuple[int | None, int | None, int | None]


def product_limits(value: ProductLimits | AnyLimits) -> ProductLimits:
    """Accept limits in any form, and those of an engine."""
    return value if isinstance(value, ProductLimits) else Limits.of(value)


def _parse_limit(part: str, text: str) -> int | None:
    if part == "*":
        return None
    digits = part.lstrip("0") if part.isascii() and part.isdigit() else ""
    if len(digits) > len(str(LARGEST)) or int(digits or 0) > LARGEST:
        raise UsageError(f"limits {printable(text, SHORT)!r}: {_too_large(printable(digits, SHORT))}")
    if not digits:
        raise UsageError(f"limits {text!r}: {part!r} isn't a limit: {_CURE}")
    return int(digits)


def _too_large(number: object) -> str:
    return f"{number} is over {LARGEST}, the largest limit: write * for none"
