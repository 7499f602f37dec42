"""The table: which operators hold a matrix product, in normal form, and what of it a model holds."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import ModelError, UsageError, wrong_name
from onnxtile.ir.attributes import UnsizedError, node_name
from onnxtile.ir.graphs import Scope, called_functions, default_opset, is_tiled_product, scopes_with_nodes
from onnxtile.ir.metadata import UNKNOWN_META
from onnxtile.operators import attention, blockwise, convolution, einsum, fused, linear_models, quantized, recurrent
from onnxtile.operators import attention_ort as attention_microsoft
from onnxtile.operators import matmul as products
from onnxtile.operators import moe as experts
from onnxtile.operators import transforms as other
from onnxtile.operators.entry import Entry, one
from onnxtile.operators.product_free import PRODUCT_FREE
from onnxtile.operators.sizes import Size

Operator = tuple[str, str]
"""Domain and name of an operator."""
FAMILIES = ("matmul", "conv", "rnn", "attention", "other")
_FILES = (
    products,
    quantized,
    fused,
    einsum,
    blockwise,
    experts,
    convolution,
    recurrent,
    attention,
    attention_microsoft,
    other,
)
TABLE: dict[Operator, Entry] = {
    (domain, op): entry
    for domain, entries in (
        *(("", file.ONNX) for file in _FILES),
        *(("com.microsoft", file.MICROSOFT) for file in _FILES),
        ("ai.onnx.ml", linear_models.ML),
        ("ai.onnx.preview", attention.PREVIEW),
        ("ai.onnx.preview.training", other.TRAINING),
        ("com.ms.internal.nhwc", convolution.NHWC),
        ("com.microsoft.nchwc", convolution.NCHWC),
    )
    for op, entry in entries.items()
}


def _tile(node: ir.Node) -> Size:
    """A call to a tiled product: what the engine gets is one tile."""
    m, k, n = (None if size < 0 else size for size in node.attributes["tile"].as_ints())
    return Size(m, k, n, None)


_SURELY_FREE = {
    domain: frozenset(op for op in names if (domain, op) not in TABLE) for domain, names in PRODUCT_FREE.items()
}
"""Operators by domain that hold no product wherever they stand: most nodes of large models."""
_CALL = one("matmul", _tile, "the tile")
_UNSIZED = Size(None, None, None, None)


@dataclass(frozen=True)
class Contraction:
    """One product of the model. `reason` says why no axis of `size` is known, `cause` why one isn't.

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
    def cause(self) -> str | None:
        """Why a size of an operand isn't known before run time, where inference noted it."""
        if None not in (self.size.m, self.size.k, self.size.n, self.size.batch):
            return None
        noted = (value.meta.get(UNKNOWN_META) for value in self.node.inputs if value is not None)
        return next((reason for reason in noted if reason), None)

    @property
    def name(self) -> str:
        return node_name(self.node)

    @property
    def sizable(self) -> bool:
        """The table says how the size follows from the operands' shapes."""
        entry = entry_of(self.node)
        return entry is not None and entry.sizes is not None

    @property
    def dtype(self) -> ir.DataType | None:
        a = self.node.inputs[0] if self.node.inputs else None
        return None if a is None or a.dtype == ir.DataType.UNDEFINED else a.dtype


def entry_of(node: ir.Node) -> Entry | None:
    """The node's line of the table, or None for an operator without a product, or an unknown one."""
    return _CALL if is_tiled_product(node) else TABLE.get((node.domain, node.op_type))


def contractions_of(node: ir.Node, scope: Scope, functions: Container[ir.OperatorIdentifier] = ()) -> list[Contraction]:
    """The node's products, none where it holds none; an operator that nobody knows may hold one, of family other.

    `functions`: the model's local ones, whose calls hold nothing themselves. Sizes are read from the shapes that the
    operands carry: run infer-shapes first. Raises ModelError where the operands contradict; operators that are only
    reported have no size then, so that they keep nobody from lowering the rest.
    """
    opset = default_opset(scope.opsets)
    entry = entry_of(node)
    called = node.op_identifier() in functions and not is_tiled_product(node)
    if called or not node.outputs:
        return []
    if entry is None:
        reason = None if node.op_type in PRODUCT_FREE.get(node.domain, ()) else _unknown(node)
        place = (node, scope.name, scope.in_function, opset, "other")
        return [Contraction(*place, _UNSIZED, reason)] if reason else []
    place = (node, scope.name, scope.in_function, opset, entry.family)
    if entry.sizes is None:
        return [Contraction(*place, _UNSIZED, f"{node.op_type} {entry.reason}")]
    try:
        return [Contraction(*place, size, None, part) for part, size in entry.sizes(node).items()]
    except UnsizedError as why:
        return [Contraction(*place, _UNSIZED, str(why))]
    except ModelError as error:
        if entry.lowered_by is not None and (not scope.name or scope.in_function):
            raise
        # a branch that's never taken may contradict itself, and so may what only matters to who asked
        return [Contraction(*place, _UNSIZED, str(error))]


def _unknown(node: ir.Node) -> str:
    """Why it can't be told whether the node holds a product."""
    domain = node.domain
    if domain in PRODUCT_FREE or any(domain == known for known, _ in TABLE):
        what = f"{node.op_type} isn't among the operators known of {domain or 'ai.onnx'}"
        return f"{what}: whether it holds a product can't be told"
    return f"domain {domain} isn't known: whether {node.op_type} holds a product can't be told"


def contractions(model: ir.Model) -> Iterator[Contraction]:
    """Every product of the model, in every scope, in the order of the nodes; functions that nobody calls have none."""
    idle = model.functions.keys() - called_functions(model)
    unread = {id(node) for key in idle for node in model.functions[key].all_nodes()}
    for scope, nodes in scopes_with_nodes(model):
        for node in nodes:
            if node.op_type in _SURELY_FREE.get(node.domain, ()) or id(node) in unread:
                continue
            yield from contractions_of(node, scope, model.functions)


def families(ops: str | Iterable[str]) -> tuple[str, ...]:
    """The operator families that `ops` names: `matmul`, `matmul,conv`, `all`, or a sequence; UsageError otherwise."""
    if not isinstance(ops, (str, list, tuple, set, frozenset)) or not ops:
        raise UsageError(f"ops is {ops!r}: name at least one operator family, such as matmul")
    names = [name.strip() for name in ops.split(",")] if isinstance(ops, str) else list(ops)
    if "all" in names:
        return FAMILIES
    for name in names:
        if name not in FAMILIES:
            raise wrong_name(f"operator family {name!r} is unknown", name, FAMILIES, ", or all")
    return tuple(names)
