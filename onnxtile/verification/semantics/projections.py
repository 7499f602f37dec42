"""Several products by packed weights, of what is normalized before: as onnxruntime's documentation writes them out."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.semantics.microsoft import MICROSOFT
from onnxtile.verification.value import UnprovenError, Value

FLOAT = ir.DataType.FLOAT


@operator("MatMulNBitsMlp", attributes="K N bits block_size accuracy_level activation epsilon", domain=MICROSOFT)
def _mlp(call: Call) -> Results:
    if call.attributes.get("activation") != b"silu":
        raise UnprovenError("MatMulNBitsMlp with another activation than silu")
    x, total = _normalized(call, 1e-5)
    gate, up = (_projected(call, x, first, int(call.attributes["N"])) for first in (3, 6))
    return [call.of("Mul", call.of("Mul", gate, call.of("Sigmoid", gate)), up), total]


@operator("MatMulNBitsQkv", attributes="K Nq Nkv bits block_size accuracy_level epsilon", domain=MICROSOFT)
def _qkv(call: Call) -> Results:
    x, total = _normalized(call, 1e-6)
    widths = [int(call.attributes[name]) for name in ("Nq", "Nkv", "Nkv")]
    return [*(_projected(call, x, 3 + 3 * index, width) for index, width in enumerate(widths)), total]


def _projected(call: Call, x: Value, first: int, width: int) -> Value:
    given = {"A": x, "B": call.value(first), "scales": call.value(first + 1)}
    bias = call.optional(first + 2)
    names = ["A", "B", "scales"]
    if bias is not None:
        names += ["", "", "bias"]
        given["bias"] = bias
    sizes = {name: int(call.attributes[name]) for name in ("K", "bits", "block_size") if name in call.attributes}
    node = onnx.helper.make_node("MatMulNBits", names, ["y"], domain=MICROSOFT)
    node.attribute.extend(onnx.helper.make_attribute(name, size) for name, size in (*sizes.items(), ("N", width)))
    call.run.coarse |= int(call.attributes.get("accuracy_level", 0)) == 4
    return call.run.evaluated([node], given, ["y"])[0]


def _normalized(call: Call, epsilon: float) -> tuple[Value, Value | None]:
    """(A + skip) / sqrt(mean of its squares + epsilon) * scale in float32, and A + skip."""
    a, skip, scale = call.value(0), call.optional(1), call.optional(2)
    if scale is None:
        if skip is not None:
            raise UnprovenError(f"{call.node.op_type} with skip and without norm_scale")
        return a, None
    x = cast(call, a, FLOAT)
    x = x if skip is None else call.of("Add", x, cast(call, skip, FLOAT))
    mean = call.reduced("ReduceMean", call.of("Mul", x, x), -1, 18)
    least = call.constant(call.attributes.get("epsilon", epsilon), FLOAT)
    unit = call.of("Div", x, call.of("Sqrt", call.of("Add", mean, least)))
    return cast(call, call.of("Mul", unit, cast(call, scale, FLOAT)), a.dtype), cast(call, x, a.dtype)
