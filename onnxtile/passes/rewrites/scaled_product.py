"""A product times a factor: alpha * (A @ B); and factors that can't be."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float
from onnxtile.ir.dtypes import FLOATS, INTEGERS, WIDER
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal


def scaled_product(
    new: Replacement, a: ir.Value, b: ir.Value, factor: float, shape: ir.Shape | None, of_a: bool
) -> ir.Value:
    """Add the nodes of factor * (A @ B), which is of this shape; a factor of one costs none.

    The factor scales the product, so that weights keep their bytes; a float16 or bfloat16 product that would have to
    shrink is scaled before it's rounded: on A, or else on B (`of_a`: take the one that isn't constant).
    """
    assert a.dtype is not None
    alpha = np.array(factor, a.dtype.numpy())
    before = a.dtype in WIDER and 0 < abs(alpha) < 1
    if before and of_a:
        a = new.node("Mul", "scaled", [a, new.constant("alpha", alpha)], shape=a.shape)
    elif before:
        b = new.node("Mul", "scaled", [b, new.constant("alpha", alpha)], shape=b.shape)
    y = new.node("MatMul", "product", [a, b], shape=shape)
    new.stand_in()
    return y if before or alpha == 1 else new.node("Mul", "scaled", [y, new.constant("alpha", alpha)])


def factor_refusals(product: Contraction, *factors: str) -> Iterator[Refusal]:
    """Yield why a product can't be scaled by attributes of its node: they don't exist in its type."""
    dtype = product.dtype
    for factor in factors:
        value = attribute_float(product.node, factor, 1.0)
        if dtype in (*INTEGERS, *FLOATS) and not _exists_in(dtype, value):
            yield Refusal("factor", f"{factor} is {value:g}, which {dtype.name} can't hold; scale the operands instead")


def _exists_in(dtype: ir.DataType, value: float) -> bool:
    """Return whether the type holds a factor: as a whole number in range, or as a float that rounds as usual."""
    if dtype in INTEGERS:
        info = np.iinfo(dtype.numpy())
        return value.is_integer() and int(info.min) <= int(value) <= int(info.max)
    with np.errstate(over="ignore"):
        held = float(np.array(value).astype(dtype.numpy()))
    return abs(held - value) <= abs(value) * 2.0**-8 or not math.isfinite(value)
