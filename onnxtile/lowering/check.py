"""`check`: judge every product of a model against the limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from onnxtile.engine.given import limits_given
from onnxtile.errors import suggesting_options
from onnxtile.ir.dimensions import free_dimensions
from onnxtile.ir.graphs import count_nodes
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.links import following_links
from onnxtile.lowering.report import Report, Row
from onnxtile.operators.contractions import Contraction, contractions, families
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.inline import inline
from onnxtile.passes.manager import PassManager
from onnxtile.passes.rewrites.quantized_products import as_multiplied
from onnxtile.tiling.legality import engine_refusals, legality, why_unknown
from onnxtile.tiling.limits import AnyLimits, ProductLimits

if TYPE_CHECKING:
    from onnxtile.engine.given import AnyEngine


@suggesting_options
def check(
    model: AnyModel,
    max: ProductLimits | AnyLimits | None = None,
    *,
    engine: AnyEngine | None = None,
    ops: str | Sequence[str] = "all",
    bind: Mapping[str, int] | None = None,
    follow_links: bool = False,
) -> Report:
    """Return what every product of a model is against the limits; local functions are looked into, call by call.

    The limits are `max` (M, K, N; None: no limit), or those of `engine`: an Engine, a file, or a built-in one's name.
    Products of families outside `ops` are listed as `not-asked`. `follow_links`: data files of the model may be links
    that lead out of its folder. Raises UsageError, ModelError, UnsupportedError.
    """
    limits, asked = limits_given(max, engine), families(ops)
    with following_links(follow_links):
        checked = to_ir(model)
    nodes = count_nodes(checked)
    PassManager([BindDims(bind)] if bind else [], check=False)(checked)
    inline(checked)
    free = free_dimensions(checked)
    products = as_multiplied(contractions(checked), checked, limits)
    rows = tuple(_check_row(product, limits, asked, free) for product in products)
    return Report("check", limits, rows, nodes, nodes)


def _check_row(product: Contraction, limits: ProductLimits, asked: Sequence[str], free: Sequence[str]) -> Row:
    if product.family not in asked:
        return Row.not_asked(product)
    answer = legality(product, limits)
    why = next(engine_refusals(product, limits), None)
    row = Row.of(product, answer, why_unknown(product, limits, free) if answer == "unknown" else why)
    row = replace(row, multiples=limits.multiples(product))
    if answer != "over" or why:
        return row
    reason = None if limits.takes(product) else f"operator: the engine doesn't run {product.node.op_type}"
    return replace(row, within=limits.for_product(product).axes, reason=reason)
