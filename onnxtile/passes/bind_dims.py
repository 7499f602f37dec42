"""Give free dimensions of the inputs their sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from onnxtile.ir.dimensions import bind_dimensions


@dataclass(frozen=True)
class BindDims(ir.passes.InPlacePass):
    """dim := size, in every shape that mentions it (`bind-dims{batch=1 seq=128}`); a formula is worked out.

    A nameless dimension is called `input_axis`: `x_0` is the first axis of input x.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return ir.passes.PassResult(model, modified=bind_dimensions(model, self.sizes))
