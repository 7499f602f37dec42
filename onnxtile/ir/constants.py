"""Find which values are constants, whatever a caller feeds."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from onnxtile.ir.arrays import last_axes_swapped
from onnxtile.ir.attributes import input_of
from onnxtile.ir.constant_folding import MOST_LINKS, fold, is_foldable
from onnxtile.ir.metadata import ANNOTATION_META, IR_VERSION_META

OVERRIDABLE_FROM = 4
"""From this IR version on, an initializer that is also a graph input is a default that a caller may replace."""


def constant_tensor(value: ir.Value | None, ir_version: int) -> ir.TensorProtocol | None:
    """Return the tensor that `value` always is, an initializer or what operators compute from constants, or None.

    The operators are those of `constant_folding`. Numbers are computed anew each time the tensor is read, not before.
    """
    return _constant(value, ir_version, iter(range(MOST_LINKS)))


def _constant(value: ir.Value | None, ir_version: int, links: Iterator[int]) -> ir.TensorProtocol | None:
    """Do what `constant_tensor` does; `links` runs out after as many operators as may be seen through."""
    if value is None:
        return None
    node = value.producer()
    if node is None:
        overridable = value.is_graph_input() and ir_version >= OVERRIDABLE_FROM
        return value.const_value if value.is_initializer() and not overridable else None
    if not is_foldable(node) or next(links, None) is None:
        return None
    tensors = []
    for source in node.inputs:
        annotated = source is not None and source.meta.get(ANNOTATION_META)
        tensor = None if annotated else _constant(source, ir_version, links)
        if source is not None and tensor is None:
            return None
        tensors.append(tensor)
    return fold(node, tensors)


def stored(value: ir.Value, model: ir.Model) -> tuple[ir.Value, bool]:
    """Return the constant behind Identity and swaps of the last two axes, and whether those leave it transposed.

    Anything else: the value itself.
    """
    source, transposed = value, False
    while (node := source.producer()) is not None and node.domain == "" and not source.meta.get(ANNOTATION_META):
        behind = node.inputs[0] if node.op_type == "Identity" or _swaps_last_axes(node) else None
        if behind is None or behind.shape is None or behind.dtype is None:
            break
        source, transposed = behind, transposed != (node.op_type == "Transpose")
    constant = constant_tensor(source, declared_ir_version(model)) is not None
    return (source, transposed) if constant else (value, False)


def _swaps_last_axes(node: ir.Node) -> bool:
    source, perm = input_of(node, 0), node.attributes.get("perm")
    if node.op_type != "Transpose" or source is None or source.shape is None:
        return False
    rank = len(source.shape)
    order = list(reversed(range(rank))) if perm is None else list(perm.as_ints())
    return rank >= 2 and order == last_axes_swapped(rank)


def drop_if_unused(value: ir.Value | None, model: ir.Model) -> bool:
    """Remove a constant, or a Transpose of something, that nothing reads any more, and so what it was made of.

    True if something was removed.
    """
    waiting, dropped = [value], False
    while waiting:
        value = waiting.pop()
        if value is None or value.uses() or value.is_graph_output():
            continue
        node, constant = value.producer(), constant_tensor(value, declared_ir_version(model)) is not None
        if node is None:
            dropped |= constant and _drop_initializer(value)
        elif node.graph is not None and node.domain == "" and (constant or node.op_type in ("Constant", "Transpose")):
            waiting += node.inputs
            node.graph.remove(node, safe=True)
            dropped = True
    return dropped


def _drop_initializer(value: ir.Value) -> bool:
    graph = value.graph
    if graph is None:
        return False
    if value.is_graph_input():
        graph.inputs.remove(value)
    if value.name is not None:
        graph.initializers.pop(value.name, None)
    return True


def declared_ir_version(model: ir.Model) -> int:
    """Return the IR version of the model's file."""
    version: int = model.meta.get(IR_VERSION_META, model.ir_version)
    return version


def raise_ir_version(model: ir.Model, version: int) -> None:
    """Let the model carry at least this IR version in memory, and remember its own."""
    model.meta.setdefault(IR_VERSION_META, model.ir_version)
    model.ir_version = max(model.ir_version, version)
