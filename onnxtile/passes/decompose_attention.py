"""Write attention out as the operators it stands for: Y = softmax(scale * Q @ K' + mask) @ V, by heads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.names import Names
from onnxtile.operators.table import Contraction, contractions
from onnxtile.passes.base import Decompose
from onnxtile.passes.rewrites.function_bodies import NoBodyError, schema_of, written_out
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.tiling.legality import FLOATS, Decision, Refusal, legality, type_refusals
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.plan import TilePlan


@dataclass(frozen=True)
class DecomposeAttention(Decompose):
    """Y = softmax(scale * Q @ K' + mask) @ V by heads, for every Attention of which a product exceeds `max`.

    None given: for every one. FlexAttention and LinearAttention likewise. What takes the operator's place is its
    function body, as onnx defines it, with the node's attributes put in. Each is tried out alone first: where the
    products in the body can't be cut, the operator is refused.
    """

    operators = frozenset({("", "Attention"), ("", "LinearAttention"), ("ai.onnx.preview", "FlexAttention")})

    def refusals(self, found: Contraction, model: ir.Model) -> Iterator[Refusal]:
        if found.reason and self.max is not None:
            return  # its size says why
        yield from type_refusals(found, FLOATS)
        try:
            schema = schema_of(found.node, model.opset_imports)
            for name in found.node.attributes.keys() - schema.attributes.keys():
                words = f"{found.node.op_type} of opset {schema.since_version} has no attribute {name!r}; remove it"
                yield Refusal("attribute", words)
            for name, value in zip("QKV", found.node.inputs, strict=False):
                if value is not None and value.shape is not None and 0 in value.shape:
                    yield Refusal("empty", f"{name} is empty, which the function body can't reshape; remove the node")
            written_out(found.node, model)
        except NoBodyError as why:
            yield Refusal("body", str(why))

    def decisions(
        self, model: ir.Model, limits: Limits, products: Iterable[Contraction] | None = None
    ) -> Iterator[tuple[Contraction, Decision]]:
        """Every product that concerns the pass, with what is to be done; what the table says is tried out."""
        for found, decision in super().decisions(model, limits, products):
            tried = self._tried(found.node, model, limits) if isinstance(decision, TilePlan) else None
            yield found, tried or decision

    def _tried(self, node: ir.Node, model: ir.Model, limits: Limits) -> Refusal | None:
        """Why a product in the node's body can't be cut, or None."""
        body = written_out(node, model)
        cut = TileMatMul(limits, form=self.form, pad_tiles=self.pad_tiles)
        for inner, decision in cut.decisions(body, limits):
            if isinstance(decision, Refusal):
                return Refusal(decision.code, f"in its body, {inner.node.op_type} {inner.name!r}: {decision.words}")
        for inner in contractions(body):
            if not cut.concerns(inner.node) and legality(inner, limits) != "fits":
                return Refusal("body", f"its body holds {inner.node.op_type} {inner.name!r}, which isn't lowered")
        return None

    def write_out(self, node: ir.Node, model: ir.Model, names: Names) -> None:
        dtype = node.outputs[0].dtype
        assert dtype is not None
        new = Replacement(node, dtype, names)
        schema = schema_of(node, model.opset_imports)
        inputs = {formal.name: value for formal, value in zip(schema.inputs, node.inputs, strict=False) if value}
        made = new.inline(written_out(node, model).clone().graph, inputs)
        for each in new.nodes:
            if each.op_type == "MatMul":
                each.doc_string = node.doc_string
                each.metadata_props.update(dict(node.metadata_props) | each.metadata_props)
        outputs = {formal.name: value for formal, value in zip(schema.outputs, node.outputs, strict=False)}
        new.swap_in(*(made.get(name) for name in outputs))
