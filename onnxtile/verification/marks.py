"""Choose types that get lanes with marks in the proof of a region: those that may round or wrap something in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import onnx
import onnx_ir as ir

from onnxtile.verification.field import DIGITS, holds
from onnxtile.verification.graphs import nodes_inside

_TYPES = frozenset(dtype.value for dtype in ir.DataType) - {0}
_NAMING = ("to", "dtype", "output_dtype", "stash_type", "softmax_precision")


def marked(types: Collection[ir.DataType]) -> list[ir.DataType]:
    """Return the types that may round or wrap numbers of these types: those that don't hold the numbers of all others.

    Sums and products of int64 are the same modulo 2^64, wherever they wrap: it counts only beside uint64.
    """
    most = 64 if ir.DataType.UINT64 in types else 63
    numbers = {dtype for dtype in types if dtype.name in DIGITS or (dtype.is_integer() and dtype.bitwidth <= most)}
    if numbers <= {ir.DataType.FLOAT}:
        return []
    return sorted(
        number for number in numbers if number.is_integer() or not all(holds(number, other) for other in numbers)
    )


def types_named(nodes: Iterable[onnx.NodeProto], model: onnx.ModelProto) -> Iterator[ir.DataType]:
    """Yield types that nodes name, or make of themselves, in functions that they call too."""
    functions = {(function.domain, function.name, function.overload): function for function in model.functions}
    for node in (inner for outer in nodes for inner in nodes_inside(outer)):
        function = functions.get((node.domain, node.op_type, node.overload))
        if function is not None:
            yield from types_named(function.node, model)
        if "Integer" in node.op_type or node.op_type.startswith(("QLinear", "Q", "Dequantize")):
            yield ir.DataType.INT32
        for attribute in node.attribute:
            if attribute.name in _NAMING and attribute.i in _TYPES:
                yield ir.DataType(attribute.i)
            if attribute.HasField("t"):
                yield ir.DataType(attribute.t.data_type)
