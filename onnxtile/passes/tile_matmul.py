"""Cut matrix products into tiles: C = A @ B becomes a call to a local function that computes it tile by tile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import UsageError
from onnxtile.ir.constants import drop_if_unused, raise_ir_version, stored
from onnxtile.ir.graphs import CALL_DOMAIN, callees_first, is_tiled_product
from onnxtile.ir.metadata import ORIGIN, PREFIX_META
from onnxtile.ir.names import Names
from onnxtile.ir.node_replacement import replace_node
from onnxtile.operators.table import Contraction, contractions
from onnxtile.tiling.calls import function_of
from onnxtile.tiling.forms.table import form_of
from onnxtile.tiling.legality import (
    BYTES,
    FLOATS,
    INTEGERS,
    SYMBOLIC_M_OPSET,
    Decision,
    Judge,
    Refusal,
    legality,
    type_refusals,
)
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.plan import ACCUMULATIONS, Accumulate, TilePlan
from onnxtile.tiling.tiled_product import TiledProduct

FUNCTIONS_FROM = 8
"""Local functions need this IR version."""


@dataclass(frozen=True)
class TileMatMul(ir.passes.InPlacePass):
    """C[m, n] = sum over k-tiles of A[m, k-tile] @ B[k-tile, n], for every MatMul that exceeds `max`.

    The MatMul becomes a call to a function in the domain `onnxtile` whose body is the batched form; equal products
    share one function; the writer (or unroll-tiles) spells it in another form. Products within `max` are left alone.
    Partial sums are added as `accumulate` says: chain, tree, or sum (one n-ary Sum; integers: a chain).

    `form` is the one that will be written: some cut an M that is known only at run time, some need newer opsets. A
    product that can't be cut is refused before anything changes, or left as it is where `leave_refused` says so.
    `pad_tiles`: for engines that take only full tiles, products within `max` are padded with zeros to its size too.
    `made_only`: of the products, only those that passes before this one wrote out of other operators.
    """

    max: Limits
    accumulate: Accumulate = "chain"
    form: str = "unrolled"
    leave_refused: bool = False
    pad_tiles: bool = False
    made_only: bool = False

    def __post_init__(self) -> None:
        if self.accumulate not in ACCUMULATIONS:
            raise UsageError(f"accumulate is {self.accumulate!r}: take one of {', '.join(ACCUMULATIONS)}")
        object.__setattr__(self, "max", Limits.of(self.max))
        form_of(self.form)

    def requires(self, model: ir.Model) -> None:
        products = [] if self.leave_refused else list(contractions(model))
        for found, decision in self.decisions(model, self.max, products):
            if isinstance(decision, Refusal):
                raise ir.passes.PreconditionError(f"{found.node.op_type} {found.name!r}: {decision}")
        for found in products:
            if (found.node.domain, found.node.op_type) == ("", "Gemm") and legality(found, self.max) != "fits":
                words = f"Gemm {found.name!r} isn't a MatMul yet; run decompose-gemm first"
                raise ir.passes.PreconditionError(words)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        plans = [(found, plan) for found, plan in self.decisions(model, self.max) if isinstance(plan, TilePlan)]
        if plans:
            names = Names(model)
            for found, plan in plans:
                self._tile(found, plan, model, names)
        for function in model.functions.values():
            if any(map(is_tiled_product, function.all_nodes())):
                function.opset_imports.setdefault(CALL_DOMAIN, 1)
        callees_first(model)
        return ir.passes.PassResult(model, modified=bool(plans))

    def ensures(self, model: ir.Model) -> None:
        for found, decision in self.decisions(model, self.max):
            if isinstance(decision, TilePlan):
                raise ir.passes.PostconditionError(f"{found.node.op_type} {found.name!r} still exceeds {self.max}")

    def concerns(self, node: ir.Node) -> bool:
        """A MatMul, or a MatMulInteger whose zero points are zero."""
        if self.made_only and PREFIX_META not in node.meta:
            return False
        return node.domain == "" and (
            node.op_type == "MatMul" or (node.op_type == "MatMulInteger" and not any(node.inputs[2:]))
        )

    def decisions(
        self, model: ir.Model, limits: Limits, products: Iterable[Contraction] | None = None
    ) -> Iterator[tuple[Contraction, Decision]]:
        """Every product that concerns the pass, with what is to be done; `products`: see `Judge.decisions`."""
        judge = Judge(model, limits, form_of(self.form).ability, self.pad_tiles)
        return judge.decisions(self.concerns, self._refusals, products)

    def _refusals(self, found: Contraction) -> Iterator[Refusal]:
        if found.node.op_type == "MatMul":
            yield from type_refusals(found, (*INTEGERS, *FLOATS))
            return
        yield from type_refusals(found, BYTES)
        if found.opset is not None and found.opset < SYMBOLIC_M_OPSET and self.form != "unrolled":
            yield Refusal(
                "opset", f"opset {found.opset} pads no bytes, which form {self.form} does; take form unrolled"
            )

    def _tile(self, contraction: Contraction, plan: TilePlan, model: ir.Model, names: Names) -> None:
        node, opset = contraction.node, contraction.opset
        old_inputs = tuple(node.inputs)
        (a, transpose_a), (b, transpose_b) = (stored(value, model) for value in old_inputs if value is not None)
        assert a.shape is not None and b.shape is not None and opset is not None
        assert a.dtype is not None and b.dtype is not None
        types, ranks = (a.dtype, b.dtype), (len(a.shape), len(b.shape))
        product = TiledProduct(plan, *ranks, types, self.accumulate, transpose_a, transpose_b)
        attributes = ir.convenience.convert_attributes(product.attributes)
        call = ir.Node(CALL_DOMAIN, product.name, [a, b], attributes, doc_string=node.doc_string)
        origin = names.origin(node)
        call.metadata_props.update(node.metadata_props | {ORIGIN: origin})
        call.name = call.meta[PREFIX_META] = names.prefix_of(node)
        function_of(product, opset, model)
        model.opset_imports.setdefault(CALL_DOMAIN, 1)
        raise_ir_version(model, FUNCTIONS_FROM)
        replace_node(node, [call], call.outputs[0])
        for value in old_inputs:
            drop_if_unused(value, model)
