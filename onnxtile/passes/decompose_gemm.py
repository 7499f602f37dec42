"""Write Gemm out as the operators it stands for: Y = alpha * (A' @ B') + beta * C."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import FLOATS, INTEGERS
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.scaled_product import factor_refusals, scaled_product
from onnxtile.tiling.legality import Refusal, type_refusals


@dataclass(frozen=True)
class DecomposeGemm(Decompose):
    """Y = alpha * (A' @ B') + beta * C, for every Gemm that exceeds `max` (none given: for every Gemm).

    alpha scales the product, so that weights keep their bytes (a float16 or bfloat16 product that would have to shrink
    is scaled before it's rounded: on its operand that isn't constant); beta is folded into a constant C; a factor of
    one costs no node.
    """

    operators = lowered_by("decompose-gemm")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, (*INTEGERS, *FLOATS))
        yield from factor_refusals(product, "alpha", "beta")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node = product.node
        a, b, c = (*node.inputs, None)[:3]
        assert a is not None and b is not None and a.dtype is not None
        dtype, of_a = a.dtype, constant_tensor(a, declared_ir_version(model)) is None
        if attribute_int(node, "transA", 0):
            a = new.transpose("A_transposed", a, [1, 0])
        if attribute_int(node, "transB", 0):
            b = new.transpose("B_transposed", b, [1, 0])
        y = scaled_product(new, a, b, attribute_float(node, "alpha", 1.0), node.outputs[0].shape, of_a)
        beta = np.array(attribute_float(node, "beta", 1.0), dtype.numpy())
        if c is not None and beta != 0:
            tensor = constant_tensor(c, declared_ir_version(model))
            if beta != 1 and tensor is not None:
                c = new.constant("bias", np.asarray(tensor.numpy() * beta))  # of a scalar numpy makes none
            elif beta != 1:
                c = new.node("Mul", "bias", [c, new.constant("beta", beta)])
            y = new.node("Add", "biased", [y, c])
        new.swap_in(y)
