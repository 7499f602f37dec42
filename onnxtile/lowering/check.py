"""`check`: judge every product of a model against the limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from onnxtile.tiling.legality import legality, why_unknown
from onnxtile.tiling.limits import AnyLimits, Limits


@suggesting_options
def check(
    model: AnyModel,
    max: AnyLimits,
    *,
    ops: str | Sequence[str] = "all",
    bind: Mapping[str, int] | None = None,
    follow_links: bool = False,
) -> Report:
    """Return what every product of a model is against the limits; local functions are looked into, call by call.

    Products of families outside `ops` are listed as `not-asked`. `follow_links`: data files of the model may be links
    that lead out of its folder. Raises UsageError, ModelError, UnsupportedError.
    """
    limits, asked = Limits.of(max), families(ops)
    with following_links(follow_links):
        checked = to_ir(model)
    nodes = count_nodes(checked)
    PassManager([BindDims(bind)] if bind else [], check=False)(checked)
    inline(checked)
    free = free_dimensions(checked)
    rows = tuple(_check_row(product, limits, asked, free) for product in contractions(checked))
    return Report("check", limits, rows, nodes, nodes)


def _check_row(product: Contraction, limits: Limits, asked: Sequence[str], free: Sequence[str]) -> Row:
    if product.family not in asked:
        return Row.not_asked(product)
    answer = legality(product, limits)
    return Row.of(product, answer, why_unknown(product, limits, free) if answer == "unknown" else None)
