"""A product fused with what's around it: transposes, factors, activations."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, attribute_int, node_name
from onnxtile.operators.entry import Entry, one
from onnxtile.operators.matmul import gemm, matmul, matmul_of
from onnxtile.operators.sizes import Dim, Size, shape

INT, FLOAT, STRING = ir.AttributeType.INT, ir.AttributeType.FLOAT, ir.AttributeType.STRING
_TRANSPOSE_MATMUL = {"transA": INT, "transB": INT, "alpha": FLOAT}
_PARAMETERS = {"activation_alpha": FLOAT, "activation_beta": FLOAT, "activation_gamma": FLOAT}
ATTRIBUTES = {
    "FusedMatMul": {**_TRANSPOSE_MATMUL, "transBatchA": INT, "transBatchB": INT},
    "TransposeMatMul": _TRANSPOSE_MATMUL,
    "FusedGemm": {**_TRANSPOSE_MATMUL, "beta": FLOAT, "activation": STRING, **_PARAMETERS},
}
"""What fused products may say; onnxruntime's schemas, which onnx's checker doesn't know."""


def check_attributes(node: ir.Node) -> None:
    """Raises ModelError for an attribute of another type than its own, UnsizedError for one that a caller gives."""
    for name, type_ in ATTRIBUTES.get(node.op_type, ATTRIBUTES["FusedMatMul"]).items():
        attribute = node.attributes.get(name)
        if attribute is not None and attribute.type != type_:
            words = f"its attribute {name} is of type {attribute.type.name}, and onnxruntime wants {type_.name}"
            raise ModelError(f"{node.op_type} {node_name(node)!r}: {words}")
        if attribute is not None and attribute.is_ref():
            raise UnsizedError(f"its attribute {name} is given by the function's caller")


def order_of_axes(node: ir.Node, side: str, rank: int) -> list[int]:
    """The axes of a fused product's operand as MatMul would have them.

    transBatch brings the first axis before the last, trans then swaps the last two; a vector stays as it is. Source:
    onnxruntime's matmul_helper.h and the shape inference of FusedMatMul in contrib_defs.cc.
    """
    axes = list(range(rank))
    if rank > 1 and attribute_int(node, f"transBatch{side}", 0):
        axes.insert(rank - 2, axes.pop(0))
    if rank > 1 and attribute_int(node, f"trans{side}", 0):
        axes[-2:] = axes[:-3:-1]
    return axes


def fused_matmul(node: ir.Node) -> Size:
    """FusedMatMul: alpha * A' @ B', where A' and B' are A and B with their axes in another order."""
    check_attributes(node)
    a, b = shape(node, 0), shape(node, 1)
    flags = [name for name in ("transBatchA", "transBatchB") if attribute_int(node, name, 0)]
    if flags and not 2 < len(a) == len(b):
        words = (
            f"{' and '.join(flags)} with operands of {len(a)} and {len(b)} axes; both need the same number, 3 or more"
        )
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {words}")
    ordered: list[list[Dim]] = [
        [dims[axis] for axis in order_of_axes(node, side, len(dims))] for side, dims in (("A", a), ("B", b))
    ]
    return matmul_of(node, *ordered)


GPU_ONLY = "onnxruntime runs it on GPUs only, so nothing could be compared"
_TRANSPOSED = "MatMul of the operands in the order that trans and transBatch say"
_MATMUL = one(
    "matmul",
    fused_matmul,
    _TRANSPOSED,
    "decompose-fused",
    "types other than floats; transA with a vector B, which engines compute otherwise; unknown attributes",
)


def fused_gemm(node: ir.Node) -> Size:
    """FusedGemm: activation(alpha * A' @ B' + beta * C), where A' and B' are A and B or their transposes."""
    check_attributes(node)
    return gemm(node)


ONNX: dict[str, Entry] = {}
MICROSOFT: dict[str, Entry] = {
    "FusedMatMul": _MATMUL,
    "TransposeMatMul": _MATMUL,
    "FusedMatMulActivation": one("matmul", fused_matmul, _TRANSPOSED, None, GPU_ONLY),
    "FusedGemm": one(
        "matmul",
        fused_gemm,
        "transA, transB swap A's and B's axes",
        "decompose-fused",
        "types other than floats; activations that are unknown or lack parameters; unknown attributes",
    ),
    "GemmFastGelu": one("matmul", matmul, "MatMul, broadcast batch axes", None, GPU_ONLY),
}
