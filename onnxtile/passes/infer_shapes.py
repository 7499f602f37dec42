"""Find every value's shape and type."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.passes.shape_inference.infer import infer


@dataclass(frozen=True)
class InferShapes(ir.passes.InPlacePass):
    """shape(outputs) := f(shape(inputs)), node by node, with symbols for free dimensions.

    Only what holds in every run is a shape: docs/shapes.md says what is believed from whom. A shape that the model
    declares for what an operator makes isn't, unless nobody has a rule for the operator. Raises ModelError where shapes
    contradict.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return ir.passes.PassResult(model, modified=infer(model))
