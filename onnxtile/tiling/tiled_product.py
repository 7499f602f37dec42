"""One tiled product, as forms write it and calls to its function carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir

from onnxtile.ir.dtypes import BYTES, WIDER
from onnxtile.ir.metadata import SCHEDULE
from onnxtile.tiling.plan import Accumulate, Axis, TilePlan

Side = Literal["A", "B"]
SIDES: tuple[Side, Side] = ("A", "B")


@dataclass(frozen=True)
class TiledProduct:
    """C = A @ B (numpy.matmul's rule) cut by `plan`; an operand stored transposed is read so first.

    `types`: those of A and B; both are the same, or each is one of int8 and uint8, whose products are int32.
    `a_rank`, `b_rank`: axes of the operands, 1 for a vector. Axes before the last two are independent products.
    `narrow`: partial products of float16 and bfloat16 stay in their type.
    `transpose_c`: C is given transposed; M is a number then, and no operand is a vector.
    """

    plan: TilePlan
    a_rank: int
    b_rank: int
    types: tuple[ir.DataType, ir.DataType]
    accumulate: Accumulate
    transpose_a: bool = False
    transpose_b: bool = False
    narrow: bool = False
    transpose_c: bool = False

    @property
    def operator(self) -> str:
        """The operator that multiplies tiles."""
        return "MatMulInteger" if self.types[0] in BYTES else "MatMul"

    @property
    def dtype(self) -> ir.DataType:
        """The type of C."""
        return ir.DataType.INT32 if self.types[0] in BYTES else self.types[0]

    @property
    def wider(self) -> ir.DataType | None:
        """The type that partial sums are added in, if it isn't C's."""
        return None if self.plan.k.whole else WIDER.get(self.dtype)

    @property
    def widened(self) -> ir.DataType | None:
        """The type that operands are cast to before they're multiplied, if any."""
        return None if self.narrow else self.wider

    @property
    def name(self) -> str:
        """The function's name; products that are written alike have the same."""
        plan = self.plan
        sizes = "x".join("M" if axis.size is None else str(axis.size) for axis in (plan.m, plan.k, plan.n))
        tiles = "x".join("M" if tile is None else str(tile) for tile in plan.tile)
        ranks = f"_r{self.a_rank}{self.b_rank}" if (self.a_rank, self.b_rank) != (2, 2) else ""
        forms = "_ta" * self.transpose_a + "_tb" * self.transpose_b + "_empty" * plan.empty + "_full" * plan.full
        forms += "_narrow" * self.narrow + "_tc" * self.transpose_c
        types = "_".join(dict.fromkeys(dtype.name.lower() for dtype in self.types))
        return f"{self.operator}_{sizes}_by_{tiles}_{types}_{self.accumulate}{ranks}{forms}"

    @property
    def attributes(self) -> dict[str, int | list[int] | str]:
        """The attributes of a call, by which the product can be written again; -1: known at run time."""
        plan = self.plan
        attributes: dict[str, int | list[int] | str] = {
            "size": [-1 if axis.size is None else axis.size for axis in (plan.m, plan.k, plan.n)],
            "tile": [-1 if tile is None else tile for tile in plan.tile],
            "ranks": [self.a_rank, self.b_rank],
            "types": [dtype.value for dtype in self.types],
            "accumulate": self.accumulate,
            "empty": int(plan.empty),
            "full": int(plan.full),
            "transpose_a": int(self.transpose_a),
            "transpose_b": int(self.transpose_b),
        }
        more = {"narrow": self.narrow, "transpose_c": self.transpose_c}
        return attributes | {name: 1 for name, is_so in more.items() if is_so}

    @property
    def call_attributes(self) -> list[ir.Attr]:
        """Return the same as the IR has them; to tell a value's type takes onnx_ir longer than all else of a call."""
        return [
            ir.AttrInt64s(name, value) if isinstance(value, list)
            else ir.AttrString(name, value) if isinstance(value, str)
            else ir.AttrInt64(name, value)
            for name, value in self.attributes.items()
        ]  # fmt: skip

    @classmethod
    def of_call(cls, node: ir.Node) -> TiledProduct:
        """Return the product that a call stands for."""
        sizes, tiles, (a_rank, b_rank) = (node.attributes[name].as_ints() for name in ("size", "tile", "ranks"))
        m, k, n = (
            Axis(None if size < 0 else size, None if tile < 0 else tile)
            for size, tile in zip(sizes, tiles, strict=True)
        )
        accumulate: Accumulate = node.attributes["accumulate"].as_string()  # type: ignore[assignment]  # our own
        a_type, b_type = map(ir.DataType, node.attributes["types"].as_ints())
        transpose_a, transpose_b = (bool(node.attributes[f"transpose_{side}"].as_int()) for side in "ab")
        empty, full = (bool(node.attributes[name].as_int()) for name in ("empty", "full"))
        narrow, transpose_c = (name in node.attributes for name in ("narrow", "transpose_c"))
        plan, types = TilePlan(m, k, n, empty, full, node.metadata_props.get(SCHEDULE, "")), (a_type, b_type)
        return cls(plan, a_rank, b_rank, types, accumulate, transpose_a, transpose_b, narrow, transpose_c)

    @property
    def batch_axes(self) -> int:
        """Axes of C before the last two that the tiles have."""
        return max(self.a_rank, self.b_rank, 2) - 2

    def axes(self, side: Side) -> list[tuple[int, str, Axis]]:
        """Return the operand's axes that take part, as (position, letter, axis): two, or one of a vector."""
        rank, plan = self.rank(side), self.plan
        pair = [("m", plan.m), ("k", plan.k)] if side == "A" else [("k", plan.k), ("n", plan.n)]
        if rank == 1:
            pair = [("k", plan.k)]
        return [(rank - len(pair) + index, letter, axis) for index, (letter, axis) in enumerate(pair)]

    def padding(self, side: Side) -> dict[int, int | None]:
        """Return the padding of the operand's axes that need some, by position; None: known at run time."""
        return {position: axis.padding for position, _, axis in self.axes(side) if axis.padding != 0}

    def transposed(self, side: Side) -> bool:
        return self.transpose_a if side == "A" else self.transpose_b

    def rank(self, side: Side) -> int:
        return self.a_rank if side == "A" else self.b_rank


@dataclass(frozen=True)
class Operand:
    """An operand of a product to write: a value's name, or the name under which its tiles are constants."""

    name: str
    precut: bool = False


def join(prefix: str, leaf: str) -> str:
    return f"{prefix}/{leaf}" if prefix else leaf


def with_zeros(array: np.ndarray, padding: Mapping[int, int | None]) -> np.ndarray:
    """Return the array with zeros appended along axes; itself where there are none."""
    return np.pad(array, [(0, padding.get(axis) or 0) for axis in range(array.ndim)]) if padding else array
