"""Annotate a model with what each node costs; its shapes and all else stay as they were declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import onnx_ir as ir

from onnxtile.errors import UsageError
from onnxtile.ir.graphs import nodes_within
from onnxtile.ir.io.load import copy_of
from onnxtile.ir.metadata import OWNER
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.inline import inline
from onnxtile.passes.manager import PassManager
from onnxtile.profiling.annotate_pass import notes, texts, write


def annotate(model: ir.Model, bind: Mapping[str, int] | None = None, clear: bool = False) -> bool:
    """Write notes into the nodes' metadata in place, or take them out; return whether that changed anything.

    They say what `profile` says: shapes are inferred in a copy, with `bind` as sizes of free dimensions, and local
    functions are inlined there; a call gets the sum of what was inlined for it. Raises
    UsageError, ModelError, UnsupportedError, having changed nothing.
    """
    if clear:
        if bind:
            raise UsageError("sizes say what to write, and clear takes it out; leave one of them out")
        return write(model, {})
    measured = copy_of(model)
    for function in measured.functions.values():
        for node in nodes_within(function):
            node.metadata_props.pop(OWNER, None)
    for number, node in enumerate(nodes_within(measured.graph)):
        node.metadata_props[OWNER] = str(number)
    with _names_of_tensors_kept(model):
        PassManager([BindDims(bind)] if bind else [], check=False)(measured)
        inline(measured)
        by_number = notes(measured, lambda node: node.metadata_props.get(OWNER))
    sizes = " ".join(f"{name}={size}" for name, size in (bind or {}).items())
    numbered = enumerate(nodes_within(model.graph))
    return write(model, {node: by_number.get(str(number)) or texts([], {}) for number, node in numbered}, sizes)


@contextmanager
def _names_of_tensors_kept(model: ir.Model) -> Iterator[None]:
    """Keep names that a copy, which shares tensors, would change: onnx_ir names a tensor after its value."""
    graphs: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    attributes = (held for graph in graphs for node in nodes_within(graph) for held in node.attributes.values())
    tensors = [held.as_tensor() for held in attributes if held.type == ir.AttributeType.TENSOR and not held.is_ref()]
    names = [tensor.name if _is_named(tensor) else None for tensor in tensors]
    try:
        yield
    finally:
        for tensor, name in zip(tensors, names, strict=True):
            tensor.name = name


def _is_named(tensor: ir.TensorProtocol) -> bool:
    """Return whether a tensor has a name: an empty one may be in a file or not, and onnx_ir reads both alike."""
    return not isinstance(tensor, ir.serde.TensorProtoTensor) or tensor.raw.HasField("name")
