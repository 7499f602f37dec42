"""A product times a factor: alpha * (A @ B)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.tiled_product import WIDER


def scaled_product(
    new: Replacement, a: ir.Value, b: ir.Value, factor: float, shape: ir.Shape | None, of_a: bool
) -> ir.Value:
    """Add the nodes of factor * (A @ B), which is of this shape; a factor of one costs none.

    The factor scales the product, so that weights keep their bytes; a float16 or bfloat16 product that would have to
    shrink is scaled before it's rounded: on A, or else on B (`of_a`: take the one that isn't constant).
    """
    assert a.dtype is not None
    alpha = np.array(factor, a.dtype.numpy())
    before = a.dtype in WIDER and abs(alpha) < 1
    if before and of_a:
        a = new.node("Mul", "scaled", [a, new.constant("alpha", alpha)], shape=a.shape)
    elif before:
        b = new.node("Mul", "scaled", [b, new.constant("alpha", alpha)], shape=b.shape)
    y = new.node("MatMul", "product", [a, b], shape=shape)
    new.stand_in()
    return y if before or alpha == 1 else new.node("Mul", "scaled", [y, new.constant("alpha", alpha)])
