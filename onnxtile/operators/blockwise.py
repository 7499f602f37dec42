"""Products by weights packed in blocks of few bits, of com.microsoft: attributes say their sizes, bytes don't."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, node_name
from onnxtile.operators.entry import Entry, one
from onnxtile.operators.sizes import Dim, Size, count_of, same


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
    value = node.inputs[2] if len(node.inputs) > 2 else None
    tensor = None if value is None or value.is_graph_input() else value.const_value
    if tensor is None or list(tensor.shape) != [2]:
        raise UnsizedError("its B_shape isn't a constant K, N")
    k, n = (int(each) for each in tensor.numpy())
    return _size(node, k, n)


def _size(node: ir.Node, k: int, n: int) -> Size:
    """The product of `node`'s first input, of K columns: M is its last axis but one, those before it are the batch."""
    a = node.inputs[0] if node.inputs else None
    if a is None or a.shape is None:
        return Size(None, k, n, None)
    dims: list[Dim] = [dim if isinstance(dim, int) else dim.value for dim in a.shape]
    if not dims:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its A is a scalar; a product needs 1 axis or more")
    same(node, "K", dims[-1], k)
    return Size(dims[-2] if len(dims) > 1 else 1, k, n, count_of(dims[:-2]))


def _length(node: ir.Node, name: str) -> int:
    attribute = node.attributes.get(name)
    if attribute is None or attribute.is_ref() or attribute.type != ir.AttributeType.INT or attribute.as_int() < 1:
        raise UnsizedError(f"its attribute {name} isn't a number of elements")
    return attribute.as_int()


ONNX: dict[str, Entry] = {}
_REFUSED = (
    "weights that aren't constants; bytes that don't match K, N, bits and block_size; g_idx; weights packed for a "
    "GPU; transB 0; unknown attributes; above 100,000 packed tiles"
)
_FUSED = "several products with a normalization and an activation: isn't lowered yet"

MICROSOFT: dict[str, Entry] = {
    "MatMulNBits": one("matmul", n_bits, "attributes K, N", "decompose-blockwise", _REFUSED),
    "MatMulBnb4": one("matmul", bnb4, "attributes K, N, swapped where transB is 0", "decompose-blockwise", _REFUSED),
    "MatMulNBitsMlp": Entry("matmul", mlp, "gate and up: attributes K, N", refused=_FUSED),
    "MatMulNBitsQkv": Entry("matmul", qkv, "Q: attributes K, Nq; K and V: K, Nkv", refused=_FUSED),
    "MatMulPacked": one("matmul", n_bits, "attributes K, N"),
    "MatMulNBitsQLoRA": Entry("matmul", reason="can't be sized yet: the rank of its adapters isn't read"),
    "MatMulFpQ4": one("matmul", fp_q4, "the constant B_shape says K, N", None, "isn't lowered yet"),
}
