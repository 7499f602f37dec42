"""The table of operators that hold a matrix product, and the product's normal form.

Every entry brings its operator to C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n]; sizes that legality, tiling,
costs and reports speak of come from here. Which operators are lowered, legality and the passes say: Gemm and MatMul.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import onnx_ir as ir

from onnxtile.errors import ModelError

Dim = int | str | None
"""A number of elements, an expression in the model's symbolic dimensions, or None where it isn't known."""

Operator = tuple[str, str]
"""Domain and name of an operator."""

FAMILIES = ("matmul", "conv", "rnn", "attention", "other")
CALL_DOMAIN = "onnxtile"
"""Domain of the model-local functions that stand for tiled products."""
CALL_ATTRIBUTES = frozenset(
    ("size", "tile", "ranks", "types", "accumulate", "empty", "full", "transpose_a", "transpose_b")
)
"""What a call to a tiled product says."""


@dataclass(frozen=True)
class Size:
    """Elements along each axis of the normal form; `batch` counts the independent products."""

    m: Dim
    k: Dim
    n: Dim
    batch: Dim


@dataclass(frozen=True)
class Contraction:
    """One product of the model. `reason` says why an axis of `size` is None.

    `part` tells the products of a node with several apart; '' where it has one.

    `opset` is the version of the default operator set that the node is written in (None: not imported).
    """

    node: ir.Node
    scope: str
    in_function: bool
    opset: int | None
    family: str
    size: Size
    reason: str | None
    part: str = ""

    @property
    def name(self) -> str:
        return node_name(self.node)

    @property
    def sizable(self) -> bool:
        """The table says how the size follows from the operands' shapes."""
        entry = entry_of(self.node)
        return entry is not None and entry.size is not None

    @property
    def dtype(self) -> ir.DataType | None:
        a = self.node.inputs[0] if self.node.inputs else None
        return None if a is None or a.dtype == ir.DataType.UNDEFINED else a.dtype


class _UnsizedError(Exception):
    """The size can't be told; the message says why."""


def node_name(node: ir.Node) -> str:
    """What people call a node: its name, or that of its first named output (node names may be empty)."""
    return node.name or next((value.name for value in node.outputs if value.name), "") or node.op_type


def attribute_int(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def attribute_float(node: ir.Node, name: str, default: float) -> float:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_float()


def _shape(node: ir.Node, index: int) -> list[Dim]:
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None or value.shape is None:
        raise _UnsizedError(
            f"the shape of input {index} ({value.name if value is not None else 'absent'!r}) isn't known"
        )
    return [dim if isinstance(dim, int) else dim.value for dim in value.shape]


def _same(node: ir.Node, axis: str, left: Dim, right: Dim) -> Dim:
    """The one size of an axis that two operands share; a number says more than an expression."""
    if isinstance(left, int) and isinstance(right, int) and left != right:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its operands contradict, {axis} is {left} and {right}")
    return left if isinstance(left, int) or right is None else right


def _product_of(dims: Sequence[Dim]) -> Dim:
    if any(dim is None for dim in dims):
        return None
    number, symbols = 1, []
    for dim in dims:
        if isinstance(dim, int):
            number *= dim
        else:
            symbols.append(str(dim) if str(dim).isidentifier() else f"({dim})")
    if not symbols or number == 0:
        return number
    return "*".join([str(number)] * (number != 1) + symbols)


def _broadcast(node: ir.Node, left: list[Dim], right: list[Dim]) -> Dim:
    """Number of products of two broadcast batch shapes (numpy.matmul's rule)."""
    short, long = sorted((left, right), key=len)
    short = [*[1] * (len(long) - len(short)), *short]
    return _product_of(
        [y if x == 1 else x if y == 1 else _same(node, "a batch axis", x, y) for x, y in zip(short, long, strict=True)]
    )


def _matmul(node: ir.Node) -> Size:
    """MatMul: numpy.matmul, a vector operand standing for a matrix of one row or one column."""
    a, b = _shape(node, 0), _shape(node, 1)
    if not a or not b:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: an operand is a scalar; a product needs 1 axis or more")
    m, batch_a = (a[-2], a[:-2]) if len(a) > 1 else (1, [])
    n, batch_b = (b[-1], b[:-2]) if len(b) > 1 else (1, [])
    k = _same(node, "K", a[-1], b[-2] if len(b) > 1 else b[0])
    return Size(m, k, n, _broadcast(node, batch_a, batch_b))


def _gemm(node: ir.Node) -> Size:
    """Gemm: Y = alpha * A' @ B' + beta * C, where A' and B' are A and B or their transposes."""
    a, b = _shape(node, 0), _shape(node, 1)
    if len(a) != 2 or len(b) != 2:
        raise ModelError(f"Gemm {node_name(node)!r}: its operands have {len(a)} and {len(b)} axes, not 2")
    m, k_of_a = reversed(a) if attribute_int(node, "transA", 0) else a
    k_of_b, n = reversed(b) if attribute_int(node, "transB", 0) else b
    return Size(m, _same(node, "K", k_of_a, k_of_b), n, 1)


def _tiled(node: ir.Node) -> Size:
    """A call to a tiled product: what the engine gets is one tile."""
    m, k, n = (None if size < 0 else size for size in node.attributes["tile"].as_ints())
    return Size(m, k, n, None)


@dataclass(frozen=True)
class Entry:
    """A line of the table: the operator's family and how its size follows from its operands (None: not yet)."""

    family: str
    size: Callable[[ir.Node], Size] | None = None


_ONNX = {
    "MatMul": Entry("matmul", _matmul),
    "Gemm": Entry("matmul", _gemm),
    "MatMulInteger": Entry("matmul", _matmul),
    **dict.fromkeys(("QLinearMatMul", "Einsum"), Entry("matmul")),
    **dict.fromkeys(
        ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv", "CausalConvWithState"), Entry("conv")
    ),
    **dict.fromkeys(("RNN", "LSTM", "GRU"), Entry("rnn")),
    **dict.fromkeys(("Attention", "LinearAttention", "FlexAttention"), Entry("attention")),
    **dict.fromkeys(("DFT", "STFT", "AffineGrid"), Entry("other")),
}
_MICROSOFT = {
    **dict.fromkeys(
        (
            "FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", "FusedGemm", "GemmFastGelu", "GemmFloat8",
            "QGemm",
            "MatMulInteger16", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulNBits", "MatMulNBitsMlp",
            "MatMulNBitsQkv", "MatMulBnb4", "MatMulFpQ4",
        ),
        Entry("matmul"),
    ),
    **dict.fromkeys(("FusedConv", "NhwcConv", "NhwcFusedConv", "QLinearConv"), Entry("conv")),
    **dict.fromkeys(
        (
            "Attention", "MultiHeadAttention", "GroupQueryAttention", "PackedAttention", "PackedMultiHeadAttention",
            "QAttention", "DecoderAttention", "DecoderMaskedMultiHeadAttention", "DecoderMaskedSelfAttention",
            "LongformerAttention", "SparseAttention", "PagedAttention",
        ),
        Entry("attention"),
    ),
    **dict.fromkeys(("MoE", "QMoE"), Entry("matmul")),
    "DynamicQuantizeLSTM": Entry("rnn"),
    "EPContext": Entry("other"),
}  # fmt: skip
TABLE: dict[Operator, Entry] = {
    **{("", op): entry for op, entry in _ONNX.items()},
    **{("com.microsoft", op): entry for op, entry in _MICROSOFT.items()},
}


def entry_of(node: ir.Node) -> Entry | None:
    """The node's line of the table, or None for an operator without a product."""
    if is_tiled_product(node):
        return Entry("matmul", _tiled)
    return TABLE.get((node.domain, node.op_type))


def contraction_of(node: ir.Node, scope: Scope) -> Contraction | None:
    """The node's product, or None where it holds none.

    Sizes are read from the shapes that the operands carry: run infer-shapes first. Raises ModelError where the
    operands contradict.
    """
    opset = scope.opsets.get("", scope.opsets.get("ai.onnx"))
    entry = entry_of(node)
    if entry is None:
        return None
    if entry.size is None:
        unsized = f"{node.op_type} isn't sized yet"
        return Contraction(
            node, scope.name, scope.in_function, opset, entry.family, Size(None, None, None, None), unsized
        )
    try:
        return Contraction(node, scope.name, scope.in_function, opset, entry.family, entry.size(node), None)
    except _UnsizedError as why:
        return Contraction(
            node, scope.name, scope.in_function, opset, entry.family, Size(None, None, None, None), str(why)
        )


class Scope(NamedTuple):
    """A graph and where it is: '' for the main graph, `node/attribute` for one inside a node, to any depth."""

    name: str
    opsets: dict[str, int]
    graph: ir.Graph | ir.Function
    in_function: bool = False


def scopes(model: ir.Model) -> Iterator[Scope]:
    """Every graph of the model, functions last; bodies of our own tiled products aren't the model's."""
    yield from _nested(Scope("", model.opset_imports, model.graph))
    for function in model.functions.values():
        if not is_tiled_product(function):
            name = f"function {function.domain}::{function.name}"
            yield from _nested(Scope(name, function.opset_imports, function, in_function=True))


def all_graphs(model: ir.Model) -> Iterator[ir.Graph | ir.Function]:
    """The graphs of all scopes."""
    return (scope.graph for scope in scopes(model))


def _nested(scope: Scope) -> Iterator[Scope]:
    yield scope
    for node in scope.graph:
        for attribute in node.attributes.values():
            for subgraph in subgraphs(attribute):
                place = f"{node_name(node)}/{attribute.name}"
                yield from _nested(
                    scope._replace(name=f"{scope.name}/{place}" if scope.name else place, graph=subgraph)
                )


def is_tiled_product(called: ir.Function | ir.Node) -> bool:
    """A function that stands for a tiled product, or a call to one, by what it carries."""
    return called.domain == CALL_DOMAIN and called.attributes.keys() >= CALL_ATTRIBUTES


def subgraphs(attribute: ir.Attr) -> Sequence[ir.Graph]:
    """The graphs that an attribute holds (a body of If, Loop, Scan, ...), mostly none."""
    if attribute.is_ref():
        return ()
    if attribute.type == ir.AttributeType.GRAPH:
        return (attribute.as_graph(),)
    return attribute.as_graphs() if attribute.type == ir.AttributeType.GRAPHS else ()


def contractions(model: ir.Model) -> Iterator[Contraction]:
    """Every product of the model, in every scope, in the order of the nodes."""
    for scope in scopes(model):
        for node in scope.graph:
            contraction = contraction_of(node, scope)
            if contraction is not None:
                yield contraction
