"""Put products that were tiled already back together: call(A, B) becomes A @ B again, for a smaller engine."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.arrays import last_axes_swapped
from onnxtile.ir.graphs import default_opset, is_tiled_product
from onnxtile.ir.metadata import ORIGIN
from onnxtile.ir.node_replacement import replace_node
from onnxtile.operators.contractions import contractions
from onnxtile.tiling.calls import drop_functions, function_of
from onnxtile.tiling.legality import legality
from onnxtile.tiling.limits import ProductLimits, product_limits
from onnxtile.tiling.tiled_product import SIDES, TiledProduct


@dataclass(frozen=True)
class RestoreProducts(ir.passes.InPlacePass):
    """call(A, B) := A @ B for every call to a tiled product whose tiles exceed `max`; the function goes with the last.

    Operands that are read transposed are transposed first. Raises ModelError for a function that takes our names and
    isn't what we make.
    """

    max: ProductLimits

    def __post_init__(self) -> None:
        object.__setattr__(self, "max", product_limits(self.max))

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        opset = default_opset(model.opset_imports) or 0
        calls = dict.fromkeys(
            product.node
            for product in contractions(model)
            if is_tiled_product(product.node) and legality(product, self.max) != "fits"
        )
        for node in calls:
            product = TiledProduct.of_call(node)
            function_of(product, opset, model)
            _restore(node, product)
        if calls:
            drop_functions(model)
        return ir.passes.PassResult(model, modified=bool(calls))


def _restore(node: ir.Node, product: TiledProduct) -> None:
    """Replace a call by its product."""
    new: list[ir.Node] = []
    operands: list[ir.Value | None] = []
    for side, value in zip(SIDES, node.inputs, strict=True):
        if product.transposed(side) and value is not None:
            perm = last_axes_swapped(product.rank(side))
            swapped = ir.Value(name=f"{node.name}/{side}_as_read", type=value.type)
            swapped.shape = None if value.shape is None else ir.Shape([value.shape[axis] for axis in perm])
            attributes = [ir.AttrInt64s("perm", perm)]
            new.append(ir.Node("", "Transpose", [value], attributes, outputs=[swapped], name=swapped.name))
            new[-1].metadata_props[ORIGIN] = node.metadata_props.get(ORIGIN, str(node.name))
            value = swapped
        operands.append(value)
    restored = ir.Node("", product.operator, operands, name=node.name, doc_string=node.doc_string)
    restored.metadata_props.update(node.metadata_props)
    output, old = restored.outputs[0], node.outputs[0]
    output.shape, output.type = old.shape, old.type
    new.append(restored)
    if product.transpose_c:
        perm = last_axes_swapped(product.batch_axes + 2)
        output.name = f"{node.name}/C_as_computed"
        output.shape = None if old.shape is None else ir.Shape([old.shape[axis] for axis in perm])
        new.append(ir.Node("", "Transpose", [output], [ir.AttrInt64s("perm", perm)], name=f"{node.name}/C"))
        new[-1].metadata_props[ORIGIN] = node.metadata_props.get(ORIGIN, str(node.name))
        output = new[-1].outputs[0]
        output.shape, output.type = old.shape, old.type
    replace_node(node, new, output)
