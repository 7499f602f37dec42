"""The model-local function that stands for a tiled product."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.tiling.forms.batched import Batched
from onnxtile.tiling.sinks.ir import IrSink
from onnxtile.tiling.tiled_product import Operand, TiledProduct

_TRUSTED_META = "onnxtile.trusted"


def function_of(product: TiledProduct, opset: int, model: ir.Model) -> ir.Function:
    """The model's function for the product, declared if it wasn't; its body is the batched form.

    Raises ModelError where the model has another function of that name: its calls would be rewritten wrongly.
    """
    present = model.functions.get((CALL_DOMAIN, product.name, ""))
    if present is not None and present.meta.get(_TRUSTED_META):
        return present
    made = _build(product, opset)
    if present is not None and not _same(present, made):
        raise ModelError(f"function {CALL_DOMAIN}::{product.name} isn't what onnxtile makes; rename it, or remove it")
    made.meta[_TRUSTED_META] = True
    model.functions[made.identifier()] = made
    return made


def _build(product: TiledProduct, opset: int) -> ir.Function:
    inputs, output = [ir.Value(name="A"), ir.Value(name="B")], ir.Value(name="C")
    sink = IrSink(opset, {str(value.name): value for value in (*inputs, output)})
    Batched().spell(sink, product, Operand("A"), Operand("B"), "C", "")
    body = ir.Graph(inputs, [output], nodes=sink.nodes, opset_imports={"": opset}, name=product.name)
    declared = [ir.Attr(name, ir.AttributeType.UNDEFINED, None) for name in product.attributes]
    return ir.Function(CALL_DOMAIN, product.name, graph=body, attributes=declared)


def _same(left: ir.Function, right: ir.Function) -> bool:
    """Two functions compute the same by the same nodes; what is said of values doesn't count."""
    protos = [ir.serde.serialize_function(each, create_value_info=False) for each in (left, right)]
    return list(protos[0].node) == list(protos[1].node) and list(protos[0].input) == list(protos[1].input)
