"""Find every value's shape and type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import onnx
import onnx_ir as ir
import onnx_shape_inference

from onnxtile.constants import OVERRIDABLE_FROM, declared_ir_version
from onnxtile.contraction import all_graphs, contractions
from onnxtile.dimensions import NUMBERS_META, name_free_dimensions
from onnxtile.doubt import doubtful_values, reachable
from onnxtile.errors import ModelError
from onnxtile.passes.bounded_shapes import install_bounds, may_be_followed
from onnxtile.passes.shape_rules import install
from onnxtile.structure import one_line, skeleton

install()
install_bounds()
_NOTE = "pkg.onnx_shape_inference.sym_data"
"""Metadata key under which onnx_shape_inference notes what it knows of a value; it would end up in the file."""
Facts = dict[ir.Value, tuple[ir.Shape | None, ir.TypeProtocol | None]]


@dataclass(frozen=True)
class InferShapes(ir.passes.InPlacePass):
    """shape(outputs) := f(shape(inputs)), node by node, with symbols for free dimensions.

    Done by onnx_shape_inference; where that fails, or leaves an operand of a product without a shape, onnx's own
    inference fills in. Raises ModelError where shapes contradict.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        before = shapes_and_types(model)
        for value in before:
            value.metadata_props.pop(_NOTE, None)  # a file's own isn't believed
        with _without_defaults(model):
            doubtful = self._infer(model)
        for value in before:
            note = value.metadata_props.pop(_NOTE, None)
            value.meta.pop(NUMBERS_META, None)
            if note is not None and value not in doubtful:
                value.meta[NUMBERS_META] = json.loads(note)
        return ir.passes.PassResult(model, modified=shapes_and_types(model) != before)

    def _infer(self, model: ir.Model) -> set[ir.Value]:
        """Infer; returns the values of which nothing was believed."""
        name_free_dimensions(model)
        declared = shapes_and_types(model)
        failure: ValueError | None = None
        try:
            onnx_shape_inference.infer_symbolic_shapes(model, policy="strict", warn_on_missing=False)
        except ValueError as error:  # the library's own errors are ValueErrors too
            failure = error
        doubtful = reachable(doubtful_values(model, declared))
        if doubtful:  # start again from what is declared there
            for value in doubtful & declared.keys():
                value.shape = declared[value][0]
        if failure or doubtful or any(found.reason and found.sizable for found in contractions(model)):
            _fill_in(model, failure)
        return doubtful


@contextmanager
def _without_defaults(model: ir.Model) -> Iterator[None]:
    """Hide the values of initializers that a caller may replace: they're no facts."""
    version = declared_ir_version(model)
    defaults = [value for value in model.graph.inputs if value.is_initializer() and version >= OVERRIDABLE_FROM]
    tensors = [value.const_value for value in defaults]
    for value in defaults:
        model.graph.initializers.pop(str(value.name))
        value.const_value = None
    try:
        yield
    finally:
        for value, tensor in zip(defaults, tensors, strict=True):
            value.const_value = tensor
            model.graph.register_initializer(value)


def _fill_in(model: ir.Model, failure: ValueError | None) -> None:
    """Take from onnx's inference what is still unknown; it decides whether a failure was the model's fault."""
    try:
        light = skeleton(model)
        followed = may_be_followed(light)
        inferred = onnx.shape_inference.infer_shapes(light, strict_mode=failure is not None, data_prop=followed)
    except onnx.shape_inference.InferenceError as error:
        words = one_line(error).removeprefix("[ShapeInferenceError] ")
        raise ModelError(f"the model's shapes contradict: {words}") from error
    for ours, theirs in zip(all_graphs(model), all_graphs(ir.from_proto(inferred)), strict=True):
        found = {value.name: value for node in theirs for value in node.outputs}
        for node in ours:
            for value in node.outputs:
                _merge(value, found.get(value.name))


def _merge(value: ir.Value, found: ir.Value | None) -> None:
    if found is None:
        return
    if value.type is None:
        value.type = found.type
    if value.shape is None:
        value.shape = found.shape
    elif found.shape is not None and len(found.shape) == len(value.shape):
        value.shape = ir.Shape(
            [
                theirs if isinstance(theirs, int) and not isinstance(ours, int) else ours
                for ours, theirs in zip(value.shape, found.shape, strict=True)
            ]
        )


def shapes_and_types(model: ir.Model) -> Facts:
    """What every value says of itself now."""
    return {
        value: (value.shape.copy() if value.shape is not None else None, value.type)
        for graph in all_graphs(model)
        for values in (graph.inputs, *(node.outputs for node in graph))
        for value in values
    }
