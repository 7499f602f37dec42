"""A product fused with what's around it: transposes, factors, activations."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, attribute_int, node_name
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.elementwise import TANH_GELU, activation, bias
from onnxtile.operators.matmul import ALPHA, GEMM, GEMM_WORK, MATMUL, gemm, matmul, matmul_of
from onnxtile.operators.measures import Y
from onnxtile.operators.registry import MICROSOFT, declare, one_product
from onnxtile.operators.sizes import Size, shape

INT, FLOAT, STRING = ir.AttributeType.INT, ir.AttributeType.FLOAT, ir.AttributeType.STRING
_TRANSPOSE_MATMUL = {"transA": INT, "transB": INT, "alpha": FLOAT}
_PARAMETERS = {"activation_alpha": FLOAT, "activation_beta": FLOAT, "activation_gamma": FLOAT}
ATTRIBUTES = {
    "FusedMatMul": {**_TRANSPOSE_MATMUL, "transBatchA": INT, "transBatchB": INT},
    "TransposeMatMul": _TRANSPOSE_MATMUL,
    "FusedMatMulActivation": {
        **_TRANSPOSE_MATMUL,
        "transBatchA": INT,
        "transBatchB": INT,
        "activation": STRING,
        **_PARAMETERS,
    },
    "GemmFastGelu": {},
    "FusedGemm": {**_TRANSPOSE_MATMUL, "beta": FLOAT, "activation": STRING, **_PARAMETERS},
}
"""Attributes of fused products by onnxruntime's schemas, which onnx's checker doesn't know."""


def check_attributes(node: ir.Node) -> None:
    """Check attributes: ModelError for one of another type than its own, UnsizedError for one that a caller gives."""
    for name, type_ in ATTRIBUTES.get(node.op_type, ATTRIBUTES["FusedMatMul"]).items():
        attribute = node.attributes.get(name)
        if attribute is not None and attribute.type != type_:
            words = f"its attribute {name} is of type {attribute.type.name}, and onnxruntime wants {type_.name}"
            raise ModelError(f"{node.op_type} {node_name(node)!r}: {words}")
        if attribute is not None and attribute.is_ref():
            raise UnsizedError(f"its attribute {name} is given by the function's caller")


def order_of_axes(node: ir.Node, side: str, rank: int) -> list[int]:
    """Return the axes of a fused product's operand as MatMul would have them.

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


def fused_gemm(node: ir.Node) -> Size:
    """FusedGemm: activation(alpha * A' @ B' + beta * C), where A' and B' are A and B or their transposes."""
    check_attributes(node)
    return gemm(node)


ACTIVATED = activation("activation") * Y
_TRANSPOSED = "MatMul of the operands in the order that trans and transBatch say"
declare(
    "FusedMatMul TransposeMatMul",
    MICROSOFT,
    products=one_product(
        "matmul",
        fused_matmul,
        _TRANSPOSED,
        "decompose-fused",
        "types other than floats; transA with a vector B, which engines compute otherwise; unknown attributes",
    ),
    work=ALPHA,
)
declare(
    "FusedMatMulActivation",
    MICROSOFT,
    products=one_product(
        "matmul",
        fused_matmul,
        _TRANSPOSED,
        "decompose-fused",
        "types other than floats; activations that FusedGemm hasn't, or that lack parameters; activation_axis; unknown "
        "attributes",
    ),
    work=ALPHA + ACTIVATED,
)
declare(
    "FusedGemm",
    MICROSOFT,
    products=one_product(
        "matmul",
        fused_gemm,
        GEMM,
        "decompose-fused",
        "types other than floats; activations that are unknown or lack parameters; unknown attributes",
    ),
    work=GEMM_WORK + ACTIVATED,
)
declare(
    "GemmFastGelu",
    MICROSOFT,
    products=one_product("matmul", matmul, MATMUL, "decompose-fused", "types other than floats"),
    work=bias(2, "bias") + TANH_GELU * Y,
)
