"""Cut matrix products into tiles: C = A @ B becomes a call to a local function that computes it tile by tile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import onnx_ir as ir

from onnxtile.errors import wrong_name
from onnxtile.ir.constants import stored
from onnxtile.ir.dtypes import BYTES, FLOATS, INTEGERS
from onnxtile.ir.graphs import CALL_DOMAIN, callees_first, is_tiled_product
from onnxtile.ir.metadata import BY_TILES_META, ORIGIN, PREFIX_META, SCHEDULE
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.base import Decided, ProductPass
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.calls import function_of
from onnxtile.tiling.legality import SYMBOLIC_M_OPSET, Refusal, legality, type_refusals
from onnxtile.tiling.limits import ProductLimits
from onnxtile.tiling.plan import ACCUMULATIONS, Accumulate, TilePlan
from onnxtile.tiling.tiled_product import TiledProduct

FUNCTIONS_FROM = 8
"""Local functions need this IR version."""


@dataclass(frozen=True)
class TileMatMul(ProductPass):
    """C[m, n] = sum over k-tiles of A[m, k-tile] @ B[k-tile, n], for every MatMul that exceeds `max`.

    The MatMul becomes a call to a function in the domain `onnxtile` whose body is the batched form; equal products
    share one function; the writer (or unroll-tiles) writes it in another form. Products within `max` are left alone.
    Partial sums are added as `accumulate` says: chain, tree, or sum (one n-ary Sum; integers: a chain).

    Those of float16 and bfloat16 are multiplied and added in float32, and rounded once; with `narrow_products` they are
    multiplied in their type, and added in float32.

    `form`, `leave_refused`, `pad_tiles`: see ProductPass. `made_only`: of the products, only those that passes before
    this one wrote out of other operators.
    """

    max: ProductLimits
    accumulate: Accumulate = "chain"
    form: str = "unrolled"
    leave_refused: bool = False
    pad_tiles: bool = False
    made_only: bool = False
    narrow_products: bool = False
    ir_version = FUNCTIONS_FROM

    def __post_init__(self) -> None:
        if self.accumulate not in ACCUMULATIONS:
            raise wrong_name(f"accumulate is {self.accumulate!r}", self.accumulate, ACCUMULATIONS)
        super().__post_init__()
        object.__setattr__(self, "max", self.max.narrow(self.narrow_products))

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        result = super().call(model)
        for function in model.functions.values():
            if any(map(is_tiled_product, function.all_nodes())):
                function.opset_imports.setdefault(CALL_DOMAIN, 1)
        callees_first(model)
        return result

    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        """Return whether the node is a MatMul, or a MatMulInteger whose zero points are zero."""
        if self.made_only and PREFIX_META not in node.meta:
            return False
        return node.domain == "" and (
            node.op_type == "MatMul" or (node.op_type == "MatMulInteger" and not any(node.inputs[2:]))
        )

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        if product.node.op_type == "MatMul":
            yield from type_refusals(product, (*INTEGERS, *FLOATS))
            return
        yield from type_refusals(product, BYTES)
        if product.opset is not None and product.opset < SYMBOLIC_M_OPSET and self.form != "unrolled":
            words = f"opset {product.opset} pads no bytes, which form {self.form} does; take form unrolled"
            yield Refusal("opset", words)

    def refuse(self, decided: Iterable[Decided], products: Iterable[Contraction]) -> None:
        super().refuse(decided, products)
        for product in products:
            if (product.node.domain, product.node.op_type) == ("", "Gemm") and legality(product, self.max) != "fits":
                words = f"Gemm {product.name!r} isn't a MatMul yet; run decompose-gemm first"
                raise ir.passes.PreconditionError(words)

    def rewrite(self, product: Contraction, plan: TilePlan, new: Replacement, model: ir.Model) -> None:
        node, opset = product.node, product.opset
        (a, transpose_a), (b, transpose_b) = (stored(value, model) for value in node.inputs if value is not None)
        assert a.shape is not None and b.shape is not None and opset is not None
        assert a.dtype is not None and b.dtype is not None
        types, ranks = (a.dtype, b.dtype), (len(a.shape), len(b.shape))
        tiled = TiledProduct(plan, *ranks, types, self.accumulate, transpose_a, transpose_b)
        if self.narrow_products and tiled.wider is not None:
            tiled = replace(tiled, narrow=True)
        behind = None if plan.m.size is None else _transpose_behind(node)
        if behind is not None:
            tiled = replace(tiled, transpose_c=True)
        call = ir.Node(CALL_DOMAIN, tiled.name, [a, b], tiled.call_attributes, doc_string=node.doc_string)
        call.metadata_props.update(node.metadata_props | {ORIGIN: new.origin})
        call.metadata_props.pop(SCHEDULE, None)  # of the tile that is cut again
        if plan.schedule:
            call.metadata_props[SCHEDULE] = plan.schedule
        call.name = call.meta[PREFIX_META] = new.prefix
        function_of(tiled, opset, model)
        model.opset_imports.setdefault(CALL_DOMAIN, 1)
        new.nodes.append(call)
        new.swap_in(call.outputs[0], last=behind)


def _transpose_behind(node: ir.Node) -> ir.Node | None:
    """Return the Transpose of a product that its tiles do, if there's one."""
    y = node.outputs[0]
    if len(y.uses()) != 1 or y.is_graph_output():
        return None
    ((behind, _),) = y.uses()
    return behind if behind.meta.get(BY_TILES_META) else None
