"""Write Conv out as MatMul: the windows of the data by the kernels, plus the bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import onnx_ir as ir

from onnxtile.errors import UsageError, wrong_name
from onnxtile.ir.attributes import input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import FLOATS
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.windows import Geometry
from onnxtile.passes.base import Decided
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.convolution_pieces import Pieces
from onnxtile.passes.rewrites.depthwise import Depthwise, DepthwiseName, check_depthwise, is_depthwise, kept
from onnxtile.passes.rewrites.im2col import Im2col, window_refusals, with_bias
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.split_convolution import Joining, Split
from onnxtile.tiling.call_writer import WeightsName
from onnxtile.tiling.legality import Decision, Refusal, cut_axes, type_refusals
from onnxtile.tiling.limits import UNLIMITED, Limits
from onnxtile.tiling.plan import Accumulate, SplitPlan, VectorPlan

ConvName: TypeAlias = Literal["gemm", "split"]
CONV: tuple[ConvName, ...] = ("gemm", "split")
MOST_NODES = 200_000
"""Nodes of all split convolutions of a model: they're in memory together, some kilobytes each."""

OF_PRODUCTS = ("symbolic-m", "engine")
"""Refusals of products that don't hold where there's none."""


@dataclass(frozen=True)
class DecomposeConvolution(Decompose):
    """Y[b, f, p] = sum over c and t of X[b, c, stride * p + dilation * t] * W[f, c, t] + B[f], for Convs beyond `max`.

    The data is padded, windows of it are rows of A, kernels are columns of B; groups are a batch axis of both.
    `depthwise`: what becomes of channels that have kernels of their own, whose products are mostly padding: sums of
    elements by weights and no product (vector), what becomes of others (gemm), or nothing (keep). `conv`: whether
    others become products (gemm), or convolutions that are within `max` by the product that they stand for (split).

    Of the latter, `weights`, `accumulate`, `max_fan_in` and `narrow_products` say what they say of tiles, and
    `max_nodes` is how many nodes they may be, all of a model together.
    """

    depthwise: DepthwiseName = "vector"
    conv: ConvName = "gemm"
    weights: WeightsName = "pretile"
    accumulate: Accumulate = "chain"
    max_fan_in: int | None = None
    narrow_products: bool = False
    max_nodes: int = MOST_NODES
    operators = lowered_by("decompose-convolution")

    def __post_init__(self) -> None:
        check_depthwise(self.depthwise)
        if self.conv not in CONV:
            raise wrong_name(f"conv is {self.conv!r}", self.conv, CONV)
        if self.conv == "split" and self.pad_tiles:
            raise UsageError("conv split pads nothing to full tiles: leave pad_tiles out, or take conv gemm")
        _ = self._joining
        super().__post_init__()

    def judge(self, model: ir.Model, products: list[Contraction]) -> list[Decided]:
        decided = [(product, self._plan(product, decision)) for product, decision in super().judge(model, products)]
        nodes = sum(plan.nodes for _, plan in decided if isinstance(plan, SplitPlan))
        if nodes <= self.max_nodes:
            return decided
        words = f"split convolutions would be {nodes:,} nodes or more together, of {self.max_nodes:,} at most"
        refusal = Refusal("too-many-tiles", f"{words}; take a larger --max, or --conv gemm")
        return [(product, refusal if isinstance(plan, SplitPlan) else plan) for product, plan in decided]

    def _plan(self, product: Contraction, decision: Decision) -> Decision:
        if decision is None or (isinstance(decision, Refusal) and decision.code not in OF_PRODUCTS):
            return decision
        geometry = Geometry.of(product.node)
        if self._is_vector(geometry):
            return VectorPlan(*cut_axes(product.size, UNLIMITED))
        if self.conv == "gemm" or isinstance(decision, Refusal):
            return decision
        pieces = Pieces.of(geometry, self._limits(product))
        most = (self.max_nodes, self.accumulate, self.max_fan_in)
        return None if pieces.convolutions == 1 else pieces.plan(decision, *most)

    def _is_vector(self, geometry: Geometry) -> bool:
        return self.depthwise == "vector" and is_depthwise(geometry)

    @property
    def _joining(self) -> Joining:
        return Joining(self.weights, self.accumulate, self.max_fan_in, self.narrow_products)

    def _limits(self, product: Contraction) -> Limits:
        return (self.max or UNLIMITED).for_types(product.types)

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, FLOATS)
        if product.reason or product.opset is None:
            return
        geometry = Geometry.of(product.node)
        split = self.conv == "split" and not self._is_vector(geometry)
        yield from window_refusals(geometry, product.opset, steps=not split)
        yield from kept(geometry, self.depthwise)
        if split and self._limits(product).m is not None and not all(isinstance(size, int) for size in geometry.out):
            yield Refusal("symbolic", "--conv split cuts positions whose number is known; bind them with --bind")
        bias = input_of(product.node, 2)
        if bias is not None and (bias.shape is None or list(bias.shape) != [geometry.filters]):
            of_shape = "unknown shape" if bias.shape is None else f"shape {list(bias.shape)}"
            yield Refusal("shape", f"its bias is of {of_shape}, not [{geometry.filters}]")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, opset, version = product.node, product.opset or 0, declared_ir_version(model)
        x, w, bias = node.inputs[0], node.inputs[1], input_of(node, 2)
        assert x is not None and w is not None
        geometry = Geometry.of(node)
        tensors = constant_tensor(w, version), None if bias is None else constant_tensor(bias, version)
        if self._is_vector(geometry):
            y = Depthwise(new, geometry, opset).write(x, w, tensors[0])
            y = y if bias is None else with_bias(new, geometry, y, bias, tensors[1])
        elif self.conv == "split":
            pieces = Pieces.of(geometry, self._limits(product))
            y = Split(new, geometry, opset, pieces, self._joining).write(node, x, w, bias, tensors)
        else:
            new.swap_in(Im2col(new, geometry, opset).write(x, w, bias, tensors))
            return
        new.stand_in()
        new.swap_in(y)
