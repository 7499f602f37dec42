"""The model-local functions that stand for tiled products."""

from __future__ import annotations

from collections.abc import Container

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.graphs import CALL_DOMAIN, all_graphs, is_tiled_product
from onnxtile.ir.metadata import TRUSTED_META
from onnxtile.tiling.forms.batched import Batched
from onnxtile.tiling.sinks.ir import IrSink
from onnxtile.tiling.tiled_product import Operand, TiledProduct


def function_of(product: TiledProduct, opset: int, model: ir.Model) -> ir.Function:
    """Return the model's function for the product, declared if it wasn't; its body is the batched form.

    Raises ModelError where the model has another function of that name: its calls would be rewritten wrongly.
    """
    present = model.functions.get((CALL_DOMAIN, product.name, ""))
    if present is not None and present.meta.get(TRUSTED_META):
        return present
    function = _build(product, opset)
    if present is not None and not _same(present, function):
        raise ModelError(f"function {CALL_DOMAIN}::{product.name} isn't what onnxtile makes; rename it, or remove it")
    function.meta[TRUSTED_META] = True
    model.functions[function.identifier()] = function
    return function


def drop_functions(model: ir.Model, dropped: Container[ir.Node] = ()) -> None:
    """Drop the functions that nothing but the calls `dropped` calls, and the import of their domain with the last."""
    called = {node.op_identifier() for graph in all_graphs(model) for node in graph if node not in dropped}
    for key, function in list(model.functions.items()):
        if is_tiled_product(function) and key not in called:
            del model.functions[key]
    if all(domain != CALL_DOMAIN for domain, _, _ in (*called, *model.functions)):
        for imports in (model.opset_imports, *(function.opset_imports for function in model.functions.values())):
            imports.pop(CALL_DOMAIN, None)


def _build(product: TiledProduct, opset: int) -> ir.Function:
    inputs, output = [ir.Value(name="A"), ir.Value(name="B")], ir.Value(name="C")
    sink = IrSink(opset, {str(value.name): value for value in (*inputs, output)})
    Batched().write(sink, product, Operand("A"), Operand("B"), "C", "")
    body = ir.Graph(inputs, [output], nodes=sink.nodes, opset_imports={"": opset}, name=product.name)
    declared = [ir.Attr(name, ir.AttributeType.UNDEFINED, None) for name in product.attributes]
    return ir.Function(CALL_DOMAIN, product.name, graph=body, attributes=declared)


def _same(left: ir.Function, right: ir.Function) -> bool:
    """Return whether two functions have the same nodes and inputs, whatever is declared of their values."""
    protos = [ir.serde.serialize_function(function, create_value_info=False) for function in (left, right)]
    return list(protos[0].node) == list(protos[1].node) and list(protos[0].input) == list(protos[1].input)
