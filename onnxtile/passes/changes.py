"""Tell whether a pass changed a model, by the model: passes may be mistaken about it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.ir.graphs import all_graphs, graphs_with_initializers
from onnxtile.ir.io.checker import skeleton
from onnxtile.ir.io.load import copy_of


class Snapshot:
    """A model as a pass gets it: `model` is a copy, of which weights that can be written to are its own."""

    def __init__(self, model: ir.Model) -> None:
        self.model = copy_of(model)
        for graph in graphs_with_initializers(self.model):
            for value in graph.initializers.values():
                if value.const_value is not None:
                    value.const_value = _own(value.const_value)
        for node in (node for graph in all_graphs(self.model) for node in graph):
            for attribute in list(node.attributes.values()):
                if attribute.type == ir.AttributeType.TENSOR and not attribute.is_ref():
                    node.attributes.add(ir.AttrTensor(attribute.name, _own(attribute.as_tensor())))
        self._bytes = _bytes(self.model)

    def differs_from(self, after: ir.Model) -> bool:
        """Return whether `after` differs in anything that a file of it would hold."""
        return _bytes(after) != self._bytes or any(
            not _equal(one.initializers[name].const_value, value.const_value)
            for one, other in zip(graphs_with_initializers(self.model), graphs_with_initializers(after), strict=True)
            for name, value in other.initializers.items()
        )


def _bytes(model: ir.Model) -> bytes:
    """Return all of the model but its large initializers."""
    return bytes(skeleton(model).SerializeToString(deterministic=True))


def _own(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    """Return a copy of a tensor whose array can be written to; others as they are."""
    if not isinstance(tensor, ir.Tensor):
        return tensor  # of a file or of protobuf
    array = tensor.numpy()
    if not array.flags.writeable:
        return tensor
    return ir.Tensor(array.copy(), dtype=tensor.dtype, name=tensor.name, doc_string=tensor.doc_string)


def _equal(one: ir.TensorProtocol | None, other: ir.TensorProtocol | None) -> bool:
    """Return whether two tensors hold the same bytes."""
    if one is other or one is None or other is None:
        return one is other
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    first, second = (np.ascontiguousarray(tensor.numpy()).reshape(-1) for tensor in (one, other))
    if first.dtype == object:  # strings
        return bool((first == second).all())
    return np.array_equal(first.view(np.uint8), second.view(np.uint8))
