"""Local functions put in the place of their calls."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.functions import check_calls
from onnxtile.ir.io.load import copy_of
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.passes.rewrites.inlining import Inline
from onnxtile.passes.specialize_functions import SpecializeFunctions


def inlined(model: ir.Model) -> ir.Model:
    """Return a copy of the model with its local functions in the place of their calls, and shapes: see `inline`."""
    copy = copy_of(model)
    inline(copy)
    return copy


def inline(model: ir.Model) -> None:
    """Put local functions in the place of their calls, in place, and infer shapes.

    Functions of another opset than the model's can't be; all of them stay then, each for one signature of its calls.
    Raises UnsupportedError where there would be too many nodes.
    """
    check_calls(model)
    steps: list[ir.passes.PassBase] = [InferShapes()]
    opsets = model.opset_imports
    imports = [pair for function in model.functions.values() for pair in function.opset_imports.items()]
    if any(opsets.get(domain, version) != version for domain, version in imports):
        steps = [InferShapes(), SpecializeFunctions()]
    elif model.functions:
        steps = [Inline(), InferShapes()]
    PassManager(steps, check=False)(model)
