"""Write Conv out as MatMul: the windows of the data by the kernels, plus the bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import onnx_ir as ir

from onnxtile.errors import wrong_name
from onnxtile.ir.attributes import input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import FLOATS
from onnxtile.ir.symbolic.amounts import dimension
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.windows import Geometry
from onnxtile.passes.base import Decided
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.depthwise import Depthwise, is_depthwise
from onnxtile.passes.rewrites.im2col import Im2col, window_refusals, with_bias
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.split_convolution import Pieces, Split
from onnxtile.tiling.legality import Decision, Refusal, type_refusals
from onnxtile.tiling.limits import UNLIMITED
from onnxtile.tiling.plan import TilePlan, VectorPlan

DepthwiseName: TypeAlias = Literal["vector", "keep", "gemm"]
ConvName: TypeAlias = Literal["gemm", "split"]
CONV: tuple[ConvName, ...] = ("gemm", "split")
DEPTHWISE: tuple[DepthwiseName, ...] = ("vector", "keep", "gemm")


@dataclass(frozen=True)
class DecomposeConvolution(Decompose):
    """Y[b, f, p] = sum over c and t of X[b, c, stride * p + dilation * t] * W[f, c, t] + B[f], for Convs beyond `max`.

    The data is padded, windows of it are rows of A, kernels are columns of B; groups are a batch axis of both.
    `depthwise`: what becomes of channels that have kernels of their own, whose products are mostly padding: sums of
    elements by weights and no product (vector), what becomes of others (gemm), or nothing (keep). `conv`: whether
    others become products (gemm), or convolutions that are within `max` by the product that they stand for (split).
    """

    depthwise: DepthwiseName = "vector"
    conv: ConvName = "gemm"
    operators = lowered_by("decompose-convolution")

    def __post_init__(self) -> None:
        if self.depthwise not in DEPTHWISE:
            raise wrong_name(f"depthwise is {self.depthwise!r}", self.depthwise, DEPTHWISE)
        if self.conv not in CONV:
            raise wrong_name(f"conv is {self.conv!r}", self.conv, CONV)
        super().__post_init__()

    def judge(self, model: ir.Model, products: list[Contraction]) -> list[Decided]:
        decided = super().judge(model, products)
        return [(product, self._plan(product, decision)) for product, decision in decided]

    def _plan(self, product: Contraction, decision: Decision) -> Decision:
        if not isinstance(decision, TilePlan):
            return decision
        geometry = Geometry.of(product.node)
        if self.depthwise == "vector" and is_depthwise(geometry):
            return VectorPlan(decision.m, decision.k, decision.n, decision.empty)
        return Pieces.of(geometry, self.max or UNLIMITED).plan(decision) if self.conv == "split" else decision

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, FLOATS)
        if product.reason or product.opset is None:
            return
        geometry = Geometry.of(product.node)
        yield from window_refusals(geometry, product.opset)
        if self.depthwise == "keep" and is_depthwise(geometry):
            yield Refusal(
                "depthwise", "its channels have kernels of their own, which --depthwise keep leaves as they are"
            )
        limited = self.max is not None and self.max.m is not None
        if self.conv == "split" and limited and not all(isinstance(size, int) for size in geometry.out):
            yield Refusal("symbolic", "--conv split cuts positions whose number is known; bind them with --bind")
        bias = input_of(product.node, 2)
        if bias is not None and (bias.shape is None or list(bias.shape) != [geometry.filters]):
            of_shape = "unknown shape" if bias.shape is None else f"shape {list(bias.shape)}"
            yield Refusal("shape", f"its bias is of {of_shape}, not [{geometry.filters}]")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, opset, version = product.node, product.opset or 0, declared_ir_version(model)
        x, w, bias = node.inputs[0], node.inputs[1], input_of(node, 2)
        assert x is not None and w is not None
        geometry, tensor = Geometry.of(node), constant_tensor(w, version)
        if self.depthwise == "vector" and is_depthwise(geometry):
            y = Depthwise(new, geometry, opset).write(x, w, tensor)
            if bias is not None:
                y = with_bias(new, geometry, y, bias, constant_tensor(bias, version))
            new.stand_in()
            new.swap_in(y)
            return
        if self.conv == "split":
            tensors = (tensor, None if bias is None else constant_tensor(bias, version))
            split = Split(new, geometry, opset, Pieces.of(geometry, self.max or UNLIMITED))
            new.swap_in(split.write(node, x, w, bias, tensors))
            return
        im2col = Im2col(new, geometry, opset)
        operands = [im2col.windows(x), im2col.weight(w, tensor)]
        shape = ir.Shape(map(dimension, im2col.product_dims))
        y = new.node("MatMul", "product", operands, shape=shape)
        new.stand_in()
        if bias is not None:
            over_rows = im2col.of_filters("bias", bias, constant_tensor(bias, version))
            y = new.node("Add", "biased", [y, over_rows], shape=shape)
        new.swap_in(im2col.laid_out(y))
