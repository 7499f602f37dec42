"""A matrix product that an engine is to run: its sizes, its types, and the convolution that it comes from, if any."""

from __future__ import annotations

import math
from dataclasses import dataclass

from onnxtile.engine.description import BITS
from onnxtile.errors import UsageError
from onnxtile.ir.dimensions import LARGEST


@dataclass(frozen=True)
class Window:
    """The convolution whose windows are A's rows: for each output position of each image a row, images outermost.

    Everything but `channels` has a number for each spatial axis. K is `channels` times the kernel's positions, the
    channels outermost; a group of a convolution is a product of a batch, and `channels` are those of one group.
    """

    channels: int
    lengths: tuple[int, ...]
    """Of the input, without padding."""
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    """Padding in front."""
    outputs: tuple[int, ...]
    """Windows along each axis."""

    @property
    def taps(self) -> int:
        """Positions of the kernel."""
        return math.prod(self.kernel)

    @property
    def positions(self) -> int:
        """Windows of one image."""
        return math.prod(self.outputs)


def result_of(types: tuple[str, str]) -> str:
    """Return the type in which C leaves an engine that doesn't quantize it: int32 of bytes, else A's own."""
    return "int32" if types[0] in ("int8", "uint8") else types[0]


@dataclass(frozen=True)
class Product:
    """C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n]; `batch` of them, which share nothing.

    `types` are those of A and B, `result` the one in which C leaves the engine. Raises UsageError for a size that isn't
    a whole number from 0 to 2**63 - 1, for an unknown type, and for a window that contradicts the sizes.
    """

    m: int
    k: int
    n: int
    batch: int = 1
    types: tuple[str, str] = ("int8", "int8")
    result: str = "int8"
    window: Window | None = None

    def __post_init__(self) -> None:
        for axis in ("m", "k", "n", "batch"):
            size = getattr(self, axis)
            if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= LARGEST:
                raise UsageError(f"{axis} of a product is {size!r}: give a whole number from 0 to {LARGEST}")
        for name in (*self.types, self.result):
            if name not in BITS:
                raise UsageError(f"type {name!r} of a product is unknown: take one of {', '.join(BITS)}")
        if self.window is not None:
            self._judge(self.window)

    def _judge(self, window: Window) -> None:
        """Refuse a window that isn't that of this product."""
        shapes = (window.lengths, window.kernel, window.strides, window.dilations, window.begin, window.outputs)
        if len({len(shape) for shape in shapes}) != 1 or not window.lengths:
            raise UsageError(f"the window of a product needs as many numbers of each kind as axes: {window}")
        if min(window.strides + window.dilations + window.kernel) < 1 or min(window.channels, *window.lengths) < 0:
            raise UsageError(f"the window of a product has a size below what's possible: {window}")
        if window.channels * window.taps != self.k or (self.m and (not window.positions or self.m % window.positions)):
            raise UsageError(
                f"a product of M = {self.m}, K = {self.k} isn't one of windows: {window.positions} an image, "
                f"{window.channels * window.taps} elements each"
            )

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.m, self.k, self.n

    @property
    def macs(self) -> int:
        return self.batch * self.m * self.k * self.n

    @property
    def empty(self) -> bool:
        """There is nothing to multiply."""
        return self.macs == 0

    def __str__(self) -> str:
        batch = f"{self.batch} x " if self.batch != 1 else ""
        return f"{batch}{self.m} x {self.k} x {self.n}"
