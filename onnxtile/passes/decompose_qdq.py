"""Write products between DequantizeLinear and QuantizeLinear out as products of the integers themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.ir.dtypes import BYTES
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose
from onnxtile.passes.rewrites.arithmetic import Arithmetic
from onnxtile.passes.rewrites.quantization import Quantized, integer_product, integer_refusals, rescaled
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal


@dataclass(frozen=True)
class DecomposeQdq(Decompose):
    """Q(DQ(A) @ DQ(B)) = quantize(sA * sB / sY * (A - zA) @ (B - zB)), for every such MatMul that exceeds `max`.

    That's what onnxruntime makes of the three, and how integer engines compute them: exact, and rounded once. A MatMul
    whose DequantizeLinears or QuantizeLinear can't be taken so stays, and is cut as a product of floats.
    """

    operators = frozenset({("", "MatMul")})

    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        """MatMul of two DequantizeLinear, read by one QuantizeLinear alone, whose parameters are plain."""
        found = _quantized(node) if super().concerns(node, model) else None
        if found is None:
            return False
        a, b, y = found
        columns = b.value.shape[-1] if b.value is not None and b.value.shape else None
        lengths = (1, columns if isinstance(columns, int) else None, 1)
        reasons = (side.refusals(length, model) for side, length in zip(found, lengths, strict=True))
        depth = a.value.shape[-1] if a.value is not None and a.value.shape else None
        fits = isinstance(depth, int) and depth <= LONGEST and y.zero is not None and y.zero.dtype in BYTES
        return fits and not any(chain(integer_refusals((a, b)), *reasons))

    def refusals(self, product: Contraction, model: ir.Model) -> Iterable[Refusal]:
        return ()

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, fold = product.node, Arithmetic(new, model, product.opset or 0)
        found = _quantized(node)
        assert found is not None
        a, b, y = found
        assert a.scale is not None and b.scale is not None
        before, (last,) = [value.producer() for value in node.inputs if value is not None], node.outputs[0].consumers()
        total = integer_product(fold, a, b, node.outputs[0].shape)
        scale = a.parameter(fold, a.scale, "a_scale"), b.parameter(fold, b.scale, "b_scale")
        scales = fold.of("Mul", "scales", *scale, ir.DataType.FLOAT)
        new.swap_in(rescaled(fold, total, scales, y), last=last)
        for producer in dict.fromkeys(before):
            assert producer is not None and producer.graph is not None
            if not producer.outputs[0].uses() and not producer.outputs[0].is_graph_output():
                producer.graph.remove(producer, safe=True)


_PLAIN = {"block_size": 0, "saturate": 1, "precision": 0, "output_dtype": 0}
"""What DequantizeLinear and QuantizeLinear say where they are what is fused here."""
LONGEST = 2**31 // 255**2
"""The largest K whose sums of products of bytes, each less a zero point, surely fit int32."""


def _quantized(node: ir.Node) -> tuple[Quantized, Quantized, Quantized] | None:
    """The operands and the result of a product between DequantizeLinear and QuantizeLinear."""
    before = [value.producer() if value is not None else None for value in node.inputs]
    after = [user for output in node.outputs for user in output.consumers()]
    if len(before) != 2 or len(after) != 1 or node.outputs[0].is_graph_output() or after[0].graph is not node.graph:
        return None
    if not all(each is not None and _is(each, "DequantizeLinear") for each in before) or not _is(
        after[0], "QuantizeLinear"
    ):
        return None
    sides = []
    for letter, each in zip("ABY", (*before, after[0]), strict=True):
        assert each is not None
        value, scale, zero = (*each.inputs, None, None)[:3]
        known = each.outputs[0] if letter == "Y" else value
        rank = len(known.shape) if known is not None and known.shape is not None else 0
        along = attribute_int(each, "axis", 1) in (rank - 1, -1)
        if scale is None or scale.shape is None or (list(scale.shape) not in ([], [1]) and not along):
            return None
        said = {name: attribute_int(each, name, default) for name, default in _PLAIN.items()}
        if said != _PLAIN or (letter == "Y" and each.inputs[0] is not node.outputs[0]):
            return None
        sides.append(Quantized(letter, value if letter != "Y" else each.outputs[0], scale, zero))
    return sides[0], sides[1], sides[2]


def _is(node: ir.Node, op_type: str) -> bool:
    return node.domain == "" and node.op_type == op_type
