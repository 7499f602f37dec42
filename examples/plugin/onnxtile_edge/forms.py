"""The form: every tile is cut by Slices of its own, for a compiler that has no Split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.unrolled import Unrolled
from onnxtile.tiling.legality import Ability
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import Operand, Side, TiledProduct

OTHERS = Unrolled()
"""The form of products that are more than two matrices of float32."""


def is_plain(product: TiledProduct) -> bool:
    """Return whether a product is that of two matrices of float32 as they are, in tiles that may be smaller."""
    as_they_are = not (product.transpose_a or product.transpose_b or product.transpose_c)
    matrices = (product.a_rank, product.b_rank, product.types) == (2, 2, (ir.DataType.FLOAT, ir.DataType.FLOAT))
    return as_they_are and matrices and not (product.plan.full or product.plan.empty)


class Sliced(Form):
    """C's tile (m, n) is the Sum over k of A(m, k) @ B(k, n)."""

    name = "sliced"
    ability = Ability(first_opset=10, writes_each_tile=True)  # Slice has its bounds as inputs from opset 10 on

    def constants(
        self, product: TiledProduct, side: Side, prefix: str, array: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        if is_plain(product):
            yield f"{prefix}/whole", array
        else:
            yield from OTHERS.constants(product, side, prefix, array)

    def write(self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str) -> None:
        if not is_plain(product):
            OTHERS.write(sink, product, a, b, output, prefix)
            return
        left, right = (f"{operand.name}/whole" if operand.precut else operand.name for operand in (a, b))
        rows = []
        for i, m in enumerate(product.plan.m):
            tiles = []
            for j, n in enumerate(product.plan.n):
                parts = [f"{prefix}/m{i}_n{j}_k{at}" for at, _ in enumerate(product.plan.k)]
                for part, k in zip(parts, product.plan.k, strict=True):
                    pieces = cut(sink, left, m, k, f"{part}_a"), cut(sink, right, k, n, f"{part}_b")
                    box = f"m{m[0]}:{m[1]},k{k[0]}:{k[1]},n{n[0]}:{n[1]}"
                    sink.node("MatMul", pieces, [part], tile=box)
                tiles.append(f"{prefix}/m{i}_n{j}")
                sink.node("Sum", parts, [tiles[-1]])
            rows.append(f"{prefix}/m{i}")
            sink.node("Concat", tiles, [rows[-1]], {"axis": 1})
        sink.node("Concat", rows, [output], {"axis": 0})


def cut(sink: Sink, value: str, first: tuple[int, int], second: tuple[int, int], name: str) -> str:
    """Add the Slice of a matrix from `first` of its rows and `second` of its columns, each from and to."""
    bounds = [
        sink.constant(f"{name}_{what}", np.array([first[at], second[at]], np.int64))
        for at, what in enumerate(("starts", "ends"))
    ]
    sink.node("Slice", [value, *bounds], [name])
    return name
