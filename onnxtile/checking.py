"""`check`: what every product of a model is against the limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx_ir as ir

from onnxtile.calls import check_calls
from onnxtile.contraction import FAMILIES, Contraction, contractions
from onnxtile.dimensions import free_dimensions
from onnxtile.errors import UsageError
from onnxtile.following import following_links
from onnxtile.interop import AnyModel, to_ir
from onnxtile.legality import Refusal, doubt, legality
from onnxtile.limits import Limits
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.inline import Inline
from onnxtile.passes.specialize_functions import SpecializeFunctions
from onnxtile.pipeline import PassManager
from onnxtile.report import Report, Row, count_nodes
from onnxtile.source import copy_of

AnyLimits = Limits | str | tuple[int | None, int | None, int | None]


def check(
    model: AnyModel,
    max: AnyLimits,
    *,
    ops: str | Sequence[str] = "matmul",
    bind: Mapping[str, int] | None = None,
    follow_links: bool = False,
) -> Report:
    """What every product of the model is against the limits; local functions are looked into, call by call.

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
    rows = tuple(_check_row(found, limits, asked, free) for found in contractions(checked))
    return Report("check", limits, rows, nodes, nodes)


def families(ops: str | Iterable[str]) -> tuple[str, ...]:
    """The operator families that `ops` names: `matmul`, `matmul,conv`, `all`, or a sequence; UsageError otherwise."""
    if not isinstance(ops, (str, list, tuple, set, frozenset)) or not ops:
        raise UsageError(f"ops is {ops!r}: name at least one operator family, such as matmul")
    names = [name.strip() for name in ops.split(",")] if isinstance(ops, str) else list(ops)
    if "all" in names:
        return FAMILIES
    for name in names:
        if name not in FAMILIES:
            raise UsageError(f"operator family {name!r} is unknown: take some of {', '.join(FAMILIES)}, or all")
    return tuple(names)


def inlined(model: ir.Model) -> ir.Model:
    """A copy whose local functions are put in the place of their calls, with shapes.

    Functions of another opset than the model's can't be; all of them stay then, each for one signature of its calls.
    """
    copy = copy_of(model)
    inline(copy)
    return copy


def inline(model: ir.Model) -> None:
    """The same to the model itself. Raises UnsupportedError where that would make too many nodes."""
    check_calls(model)
    steps: list[ir.passes.PassBase] = [InferShapes()]
    if any(_differ(function.opset_imports, model.opset_imports) for function in model.functions.values()):
        steps = [InferShapes(), SpecializeFunctions()]
    elif model.functions:
        steps = [Inline(), InferShapes()]
    PassManager(steps, check=False)(model)


def _differ(left: Mapping[str, int], right: Mapping[str, int]) -> bool:
    return any(right.get(domain, version) != version for domain, version in left.items())


def _check_row(found: Contraction, limits: Limits, asked: Sequence[str], free: Sequence[str]) -> Row:
    if found.family not in asked:
        return not_asked(found)
    answer = legality(found, limits)
    return Row.of(found, answer, doubt(found, limits, free) if answer == "unknown" else None)


def not_asked(found: Contraction) -> Row:
    """The row of a product whose family wasn't asked for."""
    return Row.of(found, "not-asked", Refusal("family", f"{found.family} isn't among --ops"))
