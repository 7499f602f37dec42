"""Products by weights packed in blocks of few bits, of com.microsoft: attributes say their sizes, bytes don't.

Packed weights are unpacked in every run: a subtraction of the zero point, which they have by default, and a
multiplication by the scale for each; without zero points a multiplication.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, input_of, node_name
from onnxtile.operators.elementwise import activation, bias
from onnxtile.operators.measures import ROWS, WEIGHTS, X, Y, is_given, of_output
from onnxtile.operators.normalization import by_root_mean_square
from onnxtile.operators.registry import MICROSOFT, Packed, Products, declare, one_product, unsized
from onnxtile.operators.sizes import Size, count_of, read_size, same, shape
from onnxtile.operators.work import ELEMENTWISE


def n_bits(node: ir.Node) -> Size:
    """MatMulNBits: Y[..., N] = A[..., K] @ W' + bias, where W is N x K."""
    return _size(node, _length(node, "K"), _length(node, "N"))


def bnb4(node: ir.Node) -> Size:
    """MatMulBnb4: Y = A @ W', or A @ W where transB is 0; W is N x K."""
    k, n = _length(node, "K"), _length(node, "N")
    transposed = node.attributes.get("transB")
    return _size(node, k, n) if transposed is None or transposed.as_int() else _size(node, n, k)


def mlp(node: ir.Node) -> Mapping[str, Size]:
    """MatMulNBitsMlp: two products of the same input."""
    size = _size(node, _length(node, "K"), _length(node, "N"))
    return {"gate": size, "up": size}


def qkv(node: ir.Node) -> Mapping[str, Size]:
    """MatMulNBitsQkv: three products of the same input, two of them equally wide."""
    k, n_q, n_kv = _length(node, "K"), _length(node, "Nq"), _length(node, "Nkv")
    return {"Q": _size(node, k, n_q), "K": _size(node, k, n_kv), "V": _size(node, k, n_kv)}


def fp_q4(node: ir.Node) -> Size:
    """MatMulFpQ4: A[..., K] @ B, where the input B_shape says K and N."""
    value = input_of(node, 2)
    tensor = None if value is None or value.is_graph_input() else value.const_value
    if tensor is None or list(tensor.shape) != [2]:
        raise UnsizedError("its B_shape isn't a constant K, N")
    k, n = map(int, tensor.numpy())
    return _size(node, k, n)


def _size(node: ir.Node, k: int, n: int) -> Size:
    """Return the product of `node`'s first input, of K columns: M is the last axis but one, others the batch."""
    a = input_of(node, 0)
    if a is None or a.shape is None:
        return Size(None, k, n, None)
    dims = [read_size(dim) for dim in a.shape]
    if not dims:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its A is a scalar; a product needs 1 axis or more")
    same(node, "K", dims[-1], k)
    return Size(dims[-2] if len(dims) > 1 else 1, k, n, count_of(dims[:-2]))


def _length(node: ir.Node, name: str) -> int:
    attribute = node.attributes.get(name)
    if attribute is None or attribute.is_ref() or attribute.type != ir.AttributeType.INT or attribute.as_int() < 1:
        raise UnsizedError(f"its attribute {name} isn't a number of elements")
    return attribute.as_int()


def by_rows(node: ir.Node) -> Size:
    """Multiply A [..., K] by B [N, packed K], whose bytes hold several numbers (blocks of float8 or float4)."""
    a, b = shape(node, 0, least=1), shape(node, 1, 2)
    return Size(count_of(a[:-1]), a[-1], b[0], 1)


_REFUSED = (
    "weights that aren't constants; bytes that don't match K, N, bits and block_size; g_idx; weights packed for a "
    "GPU; transB 0; unknown attributes; above 100,000 packed tiles"
)
_FUSED = "weights that aren't constants or contradict; activations other than silu; skip without norm_scale"
_UNPACKED = 2 * ELEMENTWISE * WEIGHTS
_NORM = (ELEMENTWISE * X * is_given(1, "skip") + by_root_mean_square(X, ROWS, X)) * is_given(2, "norm_scale")
declare(
    "MatMulNBits",
    MICROSOFT,
    products=one_product("matmul", n_bits, "attributes K, N", "decompose-blockwise", _REFUSED),
    work=_UNPACKED + bias(5, "bias"),
    quantization=(2, 3),
    packed=Packed((1,), "bits", shape=("K", "N")),
)
declare(
    "MatMulBnb4",
    MICROSOFT,
    products=one_product("matmul", bnb4, "attributes K, N, swapped where transB is 0", "decompose-blockwise", _REFUSED),
    work=ELEMENTWISE * WEIGHTS,
    quantization=(2,),
    packed=Packed((1,), shape=("K", "N")),
)
declare(
    "MatMulNBitsMlp",
    MICROSOFT,
    products=Products("matmul", mlp, "gate and up: attributes K, N", "decompose-projections", refused=_FUSED),
    work=_NORM + _UNPACKED + bias(5, "gate_bias") + bias(8, "up_bias") + activation("activation") * Y + ELEMENTWISE * Y,
    quantization=(4, 5, 7, 8),
    packed=Packed((3, 6), "bits"),
)
declare(
    "MatMulNBitsQkv",
    MICROSOFT,
    products=Products("matmul", qkv, "Q: attributes K, Nq; K and V: K, Nkv", "decompose-projections", refused=_FUSED),
    work=_NORM
    + _UNPACKED
    + bias(5, "q_bias")
    + bias(8, "k_bias", of_output(1, "Y[1]"))
    + bias(11, "v_bias", of_output(2, "Y[2]")),
)
declare(
    "MatMulPacked",
    MICROSOFT,
    products=one_product("matmul", n_bits, "attributes K, N"),
    work=ELEMENTWISE * WEIGHTS + bias(2, "global_scale") + activation("activation_type", "none") * Y,
)
declare(
    "MatMulNBitsQLoRA", MICROSOFT, products=unsized("matmul", "can't be sized yet: the rank of its adapters isn't read")
)
declare(
    "MatMulFpQ4",
    MICROSOFT,
    products=one_product("matmul", fp_q4, "the constant B_shape says K, N", refused="isn't lowered yet"),
    work=_UNPACKED,
)
_BY_ROWS = one_product("matmul", by_rows, "M = rows of A, K = columns of A, N = rows of B")
declare(
    "MatMulBlockQuantizedFp8Weight",
    MICROSOFT,
    products=_BY_ROWS,
    work=ELEMENTWISE * WEIGHTS + 2 * ELEMENTWISE * X * is_given(3, "a_scale") + bias(4, "bias"),
)
declare("MatMulBlockQuantizedFp4Weight", MICROSOFT, products=_BY_ROWS, work=_UNPACKED + bias(5, "bias"))
