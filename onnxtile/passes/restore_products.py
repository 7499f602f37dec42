"""Put products that were tiled already back together: call(A, B) becomes A @ B again, for a smaller engine."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.graphs import CALL_DOMAIN, all_graphs, default_opset, is_tiled_product
from onnxtile.ir.metadata import ORIGIN
from onnxtile.ir.node_replacement import replace_node
from onnxtile.operators.contractions import contractions
from onnxtile.tiling.calls import function_of
from onnxtile.tiling.legality import legality
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.tiled_product import SIDES, TiledProduct


@dataclass(frozen=True)
class RestoreProducts(ir.passes.InPlacePass):
    """call(A, B) := A @ B for every call to a tiled product whose tiles exceed `max`; the function goes with the last.

    Operands that are read transposed are transposed first. Raises ModelError for a function that takes our names and
    isn't what we make.
    """

    max: Limits

    def __post_init__(self) -> None:
        object.__setattr__(self, "max", Limits.of(self.max))

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        opset = default_opset(model.opset_imports) or 0
        calls = dict.fromkeys(
            found.node
            for found in contractions(model)
            if is_tiled_product(found.node) and legality(found, self.max) != "fits"
        )
        for node in calls:
            product = TiledProduct.of_call(node)
            function_of(product, opset, model)
            _restore(node, product)
        if calls:
            _drop_functions(model)
        return ir.passes.PassResult(model, modified=bool(calls))


def _restore(node: ir.Node, product: TiledProduct) -> None:
    """Put the product in the place of its call."""
    new: list[ir.Node] = []
    operands: list[ir.Value | None] = []
    for side, value in zip(SIDES, node.inputs, strict=True):
        if product.transposed(side) and value is not None:
            rank = product.rank(side)
            order = ir.AttrInt64s("perm", [*range(rank - 2), rank - 1, rank - 2])
            swapped = ir.Value(name=f"{node.name}/{side}_as_read", type=value.type)
            if value.shape is not None:
                swapped.shape = ir.Shape([value.shape[axis] for axis in order.as_ints()])
            new.append(ir.Node("", "Transpose", [value], [order], outputs=[swapped], name=swapped.name))
            new[-1].metadata_props[ORIGIN] = node.metadata_props.get(ORIGIN, str(node.name))
            value = swapped
        operands.append(value)
    made = ir.Node("", product.operator, operands, name=node.name, doc_string=node.doc_string)
    made.metadata_props.update(node.metadata_props)
    output, old = made.outputs[0], node.outputs[0]
    output.shape, output.type = old.shape, old.type
    replace_node(node, [*new, made], output)


def _drop_functions(model: ir.Model) -> None:
    """Drop our functions that nobody calls any more, and the import of their domain with the last."""
    called = {node.op_identifier() for graph in all_graphs(model) for node in graph}
    for key, function in list(model.functions.items()):
        if is_tiled_product(function) and key not in called:
            del model.functions[key]
    domains = {function.domain for function in model.functions.values()} | {domain for domain, _, _ in called}
    if CALL_DOMAIN not in domains:
        for imports in (model.opset_imports, *(function.opset_imports for function in model.functions.values())):
            imports.pop(CALL_DOMAIN, None)
