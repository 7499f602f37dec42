"""Judge what was written: is every product in the file within the limits?

A small model is checked as any other: `check`. That infers every shape, which takes a hundred times as long as writing
a node. What shapes were before anything was cut is known, so that less will do: of calls that stay, one of each kind is
checked by itself, and the tiles of a large unrolled model are read in bulk (`unrolled_products`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.ir.graphs import is_tiled_product
from onnxtile.ir.io.interop import AnyModel
from onnxtile.ir.io.lazy import skim
from onnxtile.lowering.check import check
from onnxtile.lowering.model_file import Written
from onnxtile.lowering.report import Row
from onnxtile.lowering.unrolled_products import DataTypes, Shape, Shapes, UnrolledProducts
from onnxtile.tiling.limits import ProductLimits
from onnxtile.tiling.tiled_product import TiledProduct

MOST_CHECKED = 2000
"""Nodes of the largest unrolled model whose shapes are all inferred again."""


def left_over(
    written: AnyModel | Written,
    nodes: int,
    rows: Sequence[Row],
    limits: ProductLimits,
    ops: Sequence[str],
    known: Shapes | None,
    compact: ir.Model | None = None,
    types: DataTypes = {},
) -> Iterator[Row]:
    """Yield the products of what was written that exceed the limits, or may, and aren't among `rows` as such.

    `known`: shapes of the main graph's values before they were cut; an axis that isn't a number is None. Without it,
    tiles come about in another way, or elsewhere. `types`: those of the same values. `compact`: the model that was to
    be written, where its calls stay. Raises PassError where names don't fit together.
    """
    if not isinstance(written, Written) or known is None or (compact is None and nodes <= MOST_CHECKED):
        model = written.path if isinstance(written, Written) else written
        yield from _checked(model, rows, limits, ops)
    elif compact is not None:
        yield from _checked(_calls(written, compact, known) or written.path, rows, limits, ops)
    else:
        data = np.memmap(written.path, np.uint8, "r")
        judged = {row.name for row in rows if row.status not in ("tiled", "split")}
        products = UnrolledProducts(data, written.offsets, known, types)
        yield from products.beyond(limits, judged)
        if any(row.status == "split" for row in rows):
            yield from products.convolutions_beyond(limits, judged)


def _checked(model: AnyModel, rows: Sequence[Row], limits: ProductLimits, ops: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of `check` that exceed the limits, or may, and aren't among `rows`."""
    reported = [row for row in rows if row.status not in ("tiled", "split", "fits")]
    names = {(row.op, row.name) for row in reported}
    # check looks into functions call by call, and names what it finds there after the calls
    sizes = {(row.op, row.size.axes) for row in reported if row.scope.startswith("function ")}
    for row in check(model, limits, ops=ops).having("over", "unknown"):
        if (row.op, row.name) not in names and (row.op, row.size.axes) not in sizes:
            yield row


def _calls(written: Written, compact: ir.Model, known: Shapes) -> ir.Model | None:
    """Return a model of one call of each kind; None where the file has what is neither a call nor was there before."""
    model = skim(written.path)
    there = {_interface(node) for node in compact.graph}
    calls: dict[object, ir.Node] = {}
    for node in model.graph:
        if not is_tiled_product(node):
            if _interface(node) not in there:
                return None
            continue
        shapes = [_shape(value, known) for value in (*node.inputs, *node.outputs)]
        if None in shapes:
            return None
        calls.setdefault((node.op_identifier(), *shapes), node)
    alone = [_alone(node, known) for node in calls.values()]
    graph = ir.Graph(
        [value for node in alone for value in node.inputs if value is not None],
        [node.outputs[0] for node in alone], nodes=alone, opset_imports=model.opset_imports, name="calls",
    )  # fmt: skip
    return ir.Model(graph, ir_version=model.ir_version, functions=list(model.functions.values()))


def _interface(node: ir.Node) -> tuple[object, ...]:
    return (*node.op_identifier(), *(value and value.name for value in node.inputs), *(v.name for v in node.outputs))


def _shape(value: ir.Value | None, known: Shapes) -> Shape | None:
    """Return a value's shape: that of the file for an initializer."""
    if value is None or value.const_value is None:
        return None if value is None else known.get(str(value.name))
    return tuple(value.const_value.shape.numpy())


def _alone(call: ir.Node, known: Shapes) -> ir.Node:
    """Return the same call of values of its own."""
    product = TiledProduct.of_call(call)
    typed = zip((*call.inputs, *call.outputs), (*product.types, product.dtype), strict=True)
    values = [
        ir.Value(name=f"{call.name}/{at}", shape=ir.Shape(_shape(value, known) or ()), type=ir.TensorType(dtype))
        for at, (value, dtype) in enumerate(typed)
    ]
    attributes = list(call.attributes.values())
    return ir.Node(call.domain, call.op_type, values[:-1], attributes, outputs=values[-1:], name=call.name)
