"""Weights packed in blocks of few bits, by numpy: their layout, the numbers they stand for, a tile of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import lazily, read_array

Tensor = ir.TensorProtocol
Piece = tuple[int, int]
"""Start and end along an axis."""

_POSITIVE_FP4 = (0.0, 5.208333333e-03, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25)
FP4 = (*_POSITIVE_FP4, *(-number for number in _POSITIVE_FP4))
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""Numbers of the codes 0 to 15, as bitsandbytes and onnxruntime have them."""


@dataclass(frozen=True)
class Blocks:
    """Weights W, n x k, of MatMulNBits: bytes [n, blocks, bytes of a block], the lowest bits of a byte first.

    W = (number - zero point) * scale, each block of `block_size` numbers along k with its own scale and zero point:
    `scales` has n * blocks of them; `zeros` as many of the scales' type, or each row packed as the weights are, or
    None where all are 2^(bits - 1).
    """

    k: int
    n: int
    bits: int
    block_size: int
    packed: Tensor
    scales: Tensor
    zeros: Tensor | None

    @property
    def blocks(self) -> int:
        return -(-self.k // self.block_size)

    @property
    def zeros_are_packed(self) -> bool:
        return self.zeros is not None and self.zeros.dtype == ir.DataType.UINT8

    def contradictions(self) -> Iterator[str]:
        """Yield what in the tensors' types and shapes doesn't fit the sizes."""
        n, blocks = self.n, self.blocks
        zeros_in_row = -(-blocks * self.bits // 8) if self.zeros_are_packed else blocks
        wanted = [("B", self.packed, [[n, blocks, self.block_size * self.bits // 8]])]
        wanted += [("scales", self.scales, [[n, blocks], [n * blocks]])]
        if self.zeros is not None:
            wanted += [("zero_points", self.zeros, [[n, zeros_in_row], [n * zeros_in_row]])]
        for name, tensor, shapes in wanted:
            if list(tensor.shape) not in shapes:
                yield f"{name} has the shape {list(tensor.shape)}, where K, N, bits and block_size make it {shapes[0]}"
        if self.packed.dtype != ir.DataType.UINT8:
            yield f"B is {self.packed.dtype.name}, not UINT8"
        if self.zeros is not None and self.zeros.dtype not in (ir.DataType.UINT8, self.scales.dtype):
            yield f"zero_points are {self.zeros.dtype.name}, neither UINT8 nor of the scales' type"

    def numbers(self) -> Tensor:
        """Return W transposed, k x n, in the scales' type: rounded as onnxruntime does, in float32."""
        return lazily(self._numbers, self.scales.dtype, [self.k, self.n])

    def _numbers(self) -> np.ndarray:
        codes = unpack(read_array(self.packed), self.bits).astype(np.float32)
        scales = read_array(self.scales).reshape(self.n, self.blocks, 1).astype(np.float32)
        if self.zeros is None:
            result = (codes - np.float32(1 << (self.bits - 1))) * scales
        elif self.zeros_are_packed:
            result = (codes - self._zero_numbers(slice(None))[..., None].astype(np.float32)) * scales
        else:
            result = codes * scales - scales * read_array(self.zeros).reshape(scales.shape).astype(np.float32)
        numbers: np.ndarray = result.reshape(self.n, -1)[:, : self.k].T
        return numbers.astype(self.scales.dtype.numpy(), copy=False)

    def _zero_numbers(self, rows: slice) -> np.ndarray:
        assert self.zeros is not None
        return unpack(read_array(self.zeros).reshape(self.n, -1)[rows], self.bits)[:, : self.blocks]

    def tile(self, n: Piece, k: Piece) -> list[tuple[str, Tensor]]:
        """Return weights, scales and zero points of the tile, by name; k begins where a block does."""
        rows, (start, stop) = slice(*n), (k[0] // self.block_size, -(-k[1] // self.block_size))
        height, width = n[1] - n[0], stop - start

        def scales(tensor: Tensor) -> Callable[[], np.ndarray]:
            return lambda: read_array(tensor).reshape(self.n, self.blocks)[rows, start:stop]

        blob = self.block_size * self.bits // 8
        tensors = [
            ("B", lazily(lambda: read_array(self.packed)[rows, start:stop], ir.DataType.UINT8, [height, width, blob])),
            ("scales", lazily(scales(self.scales), self.scales.dtype, [height, width])),
        ]
        if self.zeros is not None and self.zeros_are_packed:
            shape = [height, -(-width * self.bits // 8)]
            zeros = lazily(lambda: pack(self._zero_numbers(rows)[:, start:stop], self.bits), ir.DataType.UINT8, shape)
            tensors.append(("zero_points", zeros))
        elif self.zeros is not None:
            tensors.append(("zero_points", lazily(scales(self.zeros), self.zeros.dtype, [height, width])))
        return tensors


@dataclass(frozen=True)
class Codes:
    """Weights W, n x k, of MatMulBnb4: 4-bit codes, the high half of a byte first, row after row without a gap.

    W = table[code] * absmax, one for each `block_size` codes.
    """

    k: int
    n: int
    block_size: int
    table: tuple[float, ...]
    packed: Tensor
    absmax: Tensor

    def contradictions(self) -> Iterator[str]:
        """Yield what in the tensors' types and shapes doesn't fit the sizes."""
        count = self.n * self.k
        for name, tensor, wanted in (("B", self.packed, 2), ("absmax", self.absmax, self.block_size)):
            if tensor.size != -(-count // wanted):
                yield f"{name} has {tensor.size} elements, where K, N and block_size make it {-(-count // wanted)}"
        if self.packed.dtype != ir.DataType.UINT8:
            yield f"B is {self.packed.dtype.name}, not UINT8"

    def numbers(self) -> Tensor:
        """Return W transposed, k x n, in absmax's type."""
        return lazily(self._numbers, self.absmax.dtype, [self.k, self.n])

    def _numbers(self) -> np.ndarray:
        count, dtype = self.n * self.k, self.absmax.dtype.numpy()
        codes = unpack(read_array(self.packed).reshape(-1, 1), 4)[:, ::-1].reshape(-1)[:count]
        scales = read_array(self.absmax).reshape(-1).repeat(min(self.block_size, count))[:count]
        numbers: np.ndarray = np.array(self.table, np.float32).astype(dtype)[codes] * scales
        transposed: np.ndarray = numbers.reshape(self.n, self.k).T
        return transposed


def unpack(array: np.ndarray, bits: int) -> np.ndarray:
    """Return numbers of `bits` bits from bytes along the last axis, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    numbers: np.ndarray = (array[..., None] >> shifts) & np.uint8((1 << bits) - 1)
    return numbers.reshape((*array.shape[:-1], math.prod(numbers.shape[-2:])))


def pack(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Return bytes from numbers of `bits` bits along the last axis, what's left of the last one zero."""
    in_byte = 8 // bits
    missing = -numbers.shape[-1] % in_byte
    padded = np.pad(numbers, [(0, 0)] * (numbers.ndim - 1) + [(0, missing)])
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    shifted = padded.reshape(*numbers.shape[:-1], -1, in_byte) << shifts
    joined: np.ndarray = np.bitwise_or.reduce(shifted, axis=-1)
    return joined.astype(np.uint8)
