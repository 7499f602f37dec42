"""Write attention out as the operators it stands for: Y = softmax(scale * Q @ K' + mask) @ V, by heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.dtypes import FLOATS
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.passes.base import Decided
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.function_bodies import NoBodyError, schema_of, written_out
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.tiling.legality import Refusal, legality, type_refusals
from onnxtile.tiling.limits import ProductLimits
from onnxtile.tiling.plan import TilePlan


@dataclass(frozen=True)
class DecomposeAttention(Decompose):
    """Y = softmax(scale * Q @ K' + mask) @ V by heads, for every Attention of which a product exceeds `max`.

    None given: for every one. FlexAttention and LinearAttention likewise. What takes the operator's place is its
    function body, as onnx defines it, with the node's attributes put in. Each is tried out alone first: where the
    products in the body can't be cut, the operator is refused.
    """

    operators = lowered_by("decompose-attention")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        if product.reason and self.max is not None:
            return  # its size says why
        node = product.node
        yield from type_refusals(product, FLOATS)
        try:
            schema = schema_of(node, model.opset_imports)
            for name in node.attributes.keys() - schema.attributes.keys():
                words = f"{node.op_type} of opset {schema.since_version} has no attribute {name!r}; remove it"
                yield Refusal("attribute", words)
            for name, value in zip("QKV", node.inputs, strict=False):
                if value is not None and value.shape is not None and 0 in value.shape:
                    yield Refusal("empty", f"{name} is empty, which the function body can't reshape; remove the node")
            written_out(node, model)
        except NoBodyError as why:
            yield Refusal("body", str(why))

    def judge(self, model: ir.Model, products: list[Contraction]) -> list[Decided]:
        """Judge as other passes do, and try out alone what the sizes allow."""
        decided = super().judge(model, products)
        if self.max is None:
            return decided
        tried = {
            product.node: self._body_refusal(product.node, model, self.max)
            for product, decision in decided
            if isinstance(decision, TilePlan)
        }
        return [(product, tried.get(product.node) or decision) for product, decision in decided]

    def _body_refusal(self, node: ir.Node, model: ir.Model, limits: ProductLimits) -> Refusal | None:
        """Return why a product in the node's body can't be cut, or None."""
        body = written_out(node, model)
        products = list(contractions(body))
        cut = TileMatMul(limits, form=self.form, pad_tiles=self.pad_tiles)
        for product, decision in cut.decide(body, products):
            if isinstance(decision, Refusal):
                words = f"in its body, {product.node.op_type} {product.name!r}: {decision.words}"
                return Refusal(decision.code, words)
        for product in products:
            if not cut.concerns(product.node, body) and legality(product, limits) != "fits":
                return Refusal("body", f"its body holds {product.node.op_type} {product.name!r}, which isn't lowered")
        return None

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node = product.node
        schema = schema_of(node, model.opset_imports)
        inputs = {formal.name: value for formal, value in zip(schema.inputs, node.inputs, strict=False) if value}
        results = new.inline(written_out(node, model).graph, inputs)
        for inner in new.nodes:
            if inner.op_type == "MatMul":
                inner.doc_string = node.doc_string
                inner.metadata_props.update(dict(node.metadata_props) | inner.metadata_props)
        outputs = {formal.name: value for formal, value in zip(schema.outputs, node.outputs, strict=False)}
        new.swap_in(*(results.get(name) for name in outputs))
