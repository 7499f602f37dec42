"""Shapes and types that a model declares, kept while it's lowered and put back: what is only inferred isn't written."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.graphs import defined_values, scopes
from onnxtile.passes.shape_inference.declared import corrected


class DeclaredShapes:
    """Shapes and types of a model's values as it declares them, by graph and name."""

    def __init__(self, model: ir.Model) -> None:
        self._declared = {(graph, value.name): (value.shape, value.type) for graph, value in defined_values(model)}

    def take_bound_sizes(self, model: ir.Model) -> None:
        """Take sizes that were bound in the model, and nothing else of what binding did to names."""
        for graph, value in defined_values(model):
            shape, type_ = self._declared[graph, value.name]
            if shape is not None and value.shape is not None:
                dims = [new if isinstance(new, int) else old for old, new in zip(shape, value.shape, strict=True)]
                if dims != list(shape):
                    denotations = [shape.get_denotation(axis) for axis in range(len(dims))]
                    self._declared[graph, value.name] = ir.Shape(dims, denotations), type_

    def drop_disproved(self, model: ir.Model) -> None:
        """Drop numbers that inference doesn't bear out, such as those of a batch that was fixed."""
        inputs = (self._declared[model.graph, value.name][0] or () for value in model.graph.inputs)
        names = {dim.value for shape in inputs for dim in shape if not isinstance(dim, int)}
        for scope in scopes(model):
            if scope.name.startswith("function "):
                continue
            outputs = set(scope.graph.outputs)
            for value in (value for node in scope.graph for value in node.outputs):
                shape, type_ = self._declared[scope.graph, value.name]
                if shape is not None:
                    shape = corrected(shape, value.shape, value in outputs, names)
                    self._declared[scope.graph, value.name] = shape, type_

    def restore(self, model: ir.Model) -> None:
        """Put the declared shapes and types back; what was only inferred goes.

        Bodies in copies of functions keep those of their inputs and outputs: onnxruntime wants them.
        """
        graphs = {graph for graph, _ in self._declared}
        for graph, value in defined_values(model):
            interface = value.is_graph_input() or value.is_graph_output()
            if graph in graphs or isinstance(graph, ir.Function) or not interface:
                value.shape, value.type = self._declared.get((graph, value.name), (None, None))
