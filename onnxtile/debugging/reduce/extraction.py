"""Extract a model of some of another's nodes: values at the cuts become inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxtile.debugging.reduce.interface_types import interface_types
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.graphs import called_functions, values_read


class Cutter:
    """Cuts parts out of a model's main graph; nodes with bodies are kept or left out whole."""

    def __init__(self, model: ir.Model, seed: int) -> None:
        """`seed`: where random inputs start of the run that tells what shape inference can't."""
        self.model = model
        self._known = interface_types(model, seed)

    def cut(self, nodes: Sequence[ir.Node]) -> ir.Model | None:
        """Return a model of these nodes of `model`, in its order; None where it has no output, or a type isn't known.

        A value that a node left out would have computed becomes an input, of the type and shape that it has; one that's
        constant, or whole numbers that may be a shape, becomes an initializer. Outputs are the model's own, and values
        that no kept node reads.
        """
        graph, own = self.model.graph, set(nodes)
        read = dict.fromkeys(value for node in nodes for value in values_read(node) if value.graph is graph)
        cuts = [value for value in read if value.producer() not in own]
        results = (value for node in nodes for value in node.outputs)
        outputs = [value for value in results if value.is_graph_output() or (value not in read and _is_result(value))]
        if not outputs:
            return None
        part = ir.GraphView(
            [value for value in cuts if not value.is_initializer() or value.is_graph_input()],
            outputs,
            nodes=nodes,
            initializers=[value for value in cuts if value.is_initializer()],
            opset_imports=dict(graph.opset_imports),
            name=graph.name,
            doc_string=graph.doc_string,
            metadata_props=dict(graph.metadata_props),
        ).clone()
        self._freeze(part, [value for value in cuts if value.producer() is not None])
        for value in (*part.inputs, *part.outputs):
            kind, shape = self._known.types.get(str(value.name), (None, None))
            value.type = value.type or kind
            if value.shape is None or value in part.inputs:  # names that only inference made can't be fed
                value.shape = shape or value.shape
            if value.type is None:
                return None
        return self._model_of(part)

    def _freeze(self, part: ir.Graph, cuts: Sequence[ir.Value]) -> None:
        """Make initializers of values at the cuts that have the same numbers whatever is fed, or may be shapes."""
        inputs = {value.name: value for value in part.inputs}
        for value in cuts:
            tensor = constant_tensor(value, declared_ir_version(self.model))
            if tensor is None and value.name in self._known.numbers:
                tensor = ir.tensor(self._known.numbers[value.name], name=value.name)
            if tensor is not None:
                frozen = inputs[value.name]
                frozen.const_value = tensor
                frozen.type, frozen.shape = ir.TensorType(tensor.dtype), ir.Shape(tensor.shape.numpy())
                part.inputs.remove(frozen)
                part.register_initializer(frozen)

    def _model_of(self, part: ir.Graph) -> ir.Model:
        """Return a model of that graph, with the functions that it calls."""
        old = self.model
        functions = [function.clone() for function in old.functions.values()]
        model = ir.Model(part, ir_version=old.ir_version, functions=functions, metadata_props=dict(old.metadata_props))
        model.meta.update(old.meta)
        for key in model.functions.keys() - called_functions(model):
            del model.functions[key]
        return model


def _is_result(value: ir.Value) -> bool:
    """Return whether the value is what its node is for: something read it, or the node has no other."""
    node = value.producer()
    return bool(value.name) and node is not None and (bool(value.uses()) or len(node.outputs) == 1)
