"""Rules for operators that run graphs: If, Loop, Scan."""

from __future__ import annotations

import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import node_bodies, subgraphs
from onnxtile.operators.trip_counts import boolean, goes_on
from onnxtile.passes.shape_inference.rules import OwnRule, Rule
from onnxtile.passes.shape_inference.sizes import Extent, is_minted, numbers, unknown

_CARRIED = "_carried_"
Widened = dict[ir.Value, list[Extent | None] | None]
"""Sizes that a body gets from the turn before and that hold in each turn, or None; None alone: the rank may change."""


def if_(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Take no shape where that of a branch isn't known: the library takes the other's."""
    library(context, node)
    branches = list(node_bodies(node))
    for index, output in enumerate(node.outputs):
        if any(branch.outputs[index].shape is None for branch in branches if index < len(branch.outputs)):
            output.shape = None
    return f"which branch If {node_name(node)!r} takes is only known at run time"


def loop(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Keep the first shape of a value that is carried as far as each turn does; a stack has a part a turn."""
    library(context, node)
    (body,) = subgraphs(node.attributes["body"])
    carried = len(node.inputs) - 2
    for index, output in enumerate(node.outputs):
        result = body.outputs[index + 1]
        if index < carried:
            start = body.inputs[index + 2].shape
            output.shape = None if start is None or result.shape is None else _outside(context, start)
            continue
        if result.shape is None:
            output.shape = None
            continue
        begins = node.inputs[1] is None or boolean(node.inputs[1]) is True
        turns = numbers(context, node.inputs[0]) if begins and goes_on(node) else None
        known = turns is not None and len(turns) == 1 and not is_minted(context, turns[0]) and turns[0] != -1
        first = turns[0] if known and turns else unknown(context)
        output.shape = ir.Shape([max(0, first) if isinstance(first, int) else first, *_outside(context, result.shape)])
    return f"how often Loop {node_name(node)!r} runs, and what it makes of sizes, is only known at run time"


def _outside(context: ShapeInferenceContext, shape: ir.Shape) -> ir.Shape:
    """Return a shape inside a body as it's known outside, where sizes of a single turn are unknown."""
    return ir.Shape([unknown(context) if _is_own(context, dim) else dim for dim in shape])


def _is_own(context: ShapeInferenceContext, dim: int | ir.SymbolicDim) -> bool:
    return is_minted(context, dim) or (not isinstance(dim, int) and any(map(is_carried, dim.free_symbols())))


def scan(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Infer nothing for a Scan of opset 8: the library takes its first input, its lengths, for a state."""
    if context.opset < 9:
        return f"the shapes of Scan {node_name(node)!r} aren't inferred before opset 9"
    library(context, node)
    return None


def is_carried(name: str) -> bool:
    """Return whether a size's name stands for one that may differ from turn to turn."""
    return name.startswith(_CARRIED)


def widen(node: ir.Node, widened: Widened) -> bool:
    """Note what a Loop carries whose shape doesn't stay what it was taken to be; true if there is something new.

    What isn't noted was taken to be as at the start: it holds in all turns if it does at the start and one turn keeps
    it. What is noted differs from turn to turn, and the inference has to be made anew.
    """
    new = False
    (body,) = subgraphs(node.attributes["body"])
    for start, inside, after in zip(node.inputs[2:], body.inputs[2:], body.outputs[1:], strict=False):
        taken = inside.shape
        if taken is None or widened.get(inside, ()) is None:
            continue
        shapes = [value.shape for value in (start, after) if value is not None]
        kept: list[Extent | None] | None = None
        if all(shape is not None and len(shape) == len(taken) for shape in shapes):
            kept = [
                None if _is_open(dim) or any(shape is None or shape[axis] != dim for shape in shapes) else dim
                for axis, dim in enumerate(taken)
            ]
        if kept is None or any(size is None and not _is_open(dim) for size, dim in zip(kept, taken, strict=True)):
            widened[inside], new = kept, True
    return new


def _is_open(dim: Extent) -> bool:
    return not isinstance(dim, int) and is_carried(str(dim.value))


def open_widened(widened: Widened) -> None:
    """Give what a Loop carries the shape that holds in each turn."""
    for number, (value, dims) in enumerate(widened.items()):
        if dims is not None:
            names = (f"{_CARRIED}{number}_{axis}" for axis in range(len(dims)))
            value.shape = ir.Shape(
                [ir.SymbolicDim(name) if dim is None else dim for name, dim in zip(names, dims, strict=True)]
            )


FLOW: dict[str, OwnRule] = {"If": if_, "Loop": loop, "Scan": scan}
