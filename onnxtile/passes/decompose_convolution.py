"""Write Conv out as MatMul: the windows of the data by the kernels, plus the bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import FLOATS
from onnxtile.ir.symbolic.amounts import dimension
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.windows import Geometry
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.im2col import Im2col, window_refusals
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, type_refusals


@dataclass(frozen=True)
class DecomposeConvolution(Decompose):
    """Y[b, f, p] = sum over c and t of X[b, c, stride * p + dilation * t] * W[f, c, t] + B[f], for Convs beyond `max`.

    The data is padded, windows of it are rows of A, kernels are columns of B; groups are a batch axis of both.
    """

    operators = lowered_by("decompose-convolution")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, FLOATS)
        if product.reason or product.opset is None:
            return
        geometry = Geometry.of(product.node)
        yield from window_refusals(geometry, product.opset)
        bias = input_of(product.node, 2)
        if bias is not None and (bias.shape is None or list(bias.shape) != [geometry.filters]):
            of_shape = "unknown shape" if bias.shape is None else f"shape {list(bias.shape)}"
            yield Refusal("shape", f"its bias is of {of_shape}, not [{geometry.filters}]")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, opset, version = product.node, product.opset or 0, declared_ir_version(model)
        x, w, bias = node.inputs[0], node.inputs[1], input_of(node, 2)
        assert x is not None and w is not None
        im2col = Im2col(new, Geometry.of(node), opset)
        operands = [im2col.windows(x), im2col.weight(w, constant_tensor(w, version))]
        shape = ir.Shape(map(dimension, im2col.product_dims))
        y = new.node("MatMul", "product", operands, shape=shape)
        new.stand_in()
        if bias is not None:
            over_rows = im2col.of_filters("bias", bias, constant_tensor(bias, version))
            y = new.node("Add", "biased", [y, over_rows], shape=shape)
        new.swap_in(im2col.laid_out(y))
