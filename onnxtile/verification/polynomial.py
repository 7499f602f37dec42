"""Does a region compute sums of products of its operands, and nothing else?

Whole numbers tell two polynomials apart. They don't tell a rounding, a clipping or a narrower type from doing nothing:
small whole numbers pass those as they are. So what takes a product's place may hold no other operators than these, as
far as they touch the operands' numbers; integers that don't depend on them (shapes, indices) are computed freely.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.verification.graphs import graphs_of, name_of

MULTIPLYING = frozenset(("MatMul", "MatMulInteger", "Gemm", "Einsum", "Neg", "ReduceSum"))
ADDING = frozenset(("Add", "Sub", "Sum", "Mul"))
"""With a constant, one that's explained: adding a tiny number to a whole one changes nothing."""
MOVING = frozenset(
    ("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Expand", "Concat", "Split", "Slice")
)
"""Operators that bring elements to other places; Pad adds zeros, or what its third input says."""
QUICK = frozenset(("MatMul", "Add", "Sum", "Concat"))
"""Operators that come in great numbers, and are fine where all they read are numbers."""
INDEXED = frozenset(("Gather",))
"""The same, by indices that mustn't depend on the operands."""
LOOPS = frozenset(("Scan", "Loop"))
MICROSOFT = frozenset(("FusedMatMul", "TransposeMatMul"))
RANK = {ir.DataType.BFLOAT16: 1, ir.DataType.FLOAT16: 1, ir.DataType.FLOAT: 2, ir.DataType.DOUBLE: 3}
INTEGERS = {ir.DataType.INT32: 1, ir.DataType.UINT32: 1, ir.DataType.INT64: 2, ir.DataType.UINT64: 2}


@dataclass(frozen=True)
class Other:
    """Something that isn't a sum of products, and its node."""

    words: str
    node: str


def what_else(
    nodes: Iterable[onnx.NodeProto],
    operands: Collection[str],
    constants: Collection[str],
    dtype: ir.DataType,
    functions: Mapping[str, onnx.FunctionProto],
) -> Other | None:
    """The first thing that isn't a sum of products; None: there's none.

    `operands`: values that hold numbers; `constants`: those whose numbers are known to be right; `dtype`: the type that
    products are added in; `functions`: ours, by name.
    """
    return _Walk(dtype, functions, set(constants)).walk(nodes, set(operands))


class _Walk:
    def __init__(self, dtype: ir.DataType, functions: Mapping[str, onnx.FunctionProto], constants: set[str]) -> None:
        self._dtype, self._functions, self._constants = dtype, functions, constants

    def walk(self, nodes: Iterable[onnx.NodeProto], numbers: set[str]) -> Other | None:
        """`numbers`: values that depend on the operands' numbers; it grows."""
        for node in nodes:
            if node.op_type in QUICK and not node.domain and all(name in numbers for name in node.input):
                numbers.update(node.output)
                continue
            bodies = [graph for attribute in node.attribute for graph in graphs_of(attribute)]
            touched = [index for index, name in enumerate(node.input) if name in numbers]
            if not touched and not bodies:
                continue
            wrong = self._bodies(node, bodies, numbers) if bodies else self._judge(node, touched)
            if wrong is not None:
                return wrong
            if node.op_type != "Shape":
                numbers.update(name for name in node.output if name)
        return None

    def _judge(self, node: onnx.NodeProto, touched: list[int]) -> Other | None:
        """What's against a node without bodies that reads numbers at these places."""
        op, domain = node.op_type, node.domain
        if domain == CALL_DOMAIN and op in self._functions:
            function = self._functions[op]
            return self.walk(function.node, {function.input[index] for index in touched})
        if domain == "com.microsoft" and op in MICROSOFT:
            return None
        if domain == "":
            others = {name for index, name in enumerate(node.input) if name and index not in touched}
            if op in MULTIPLYING or op == "Shape" or (op in MOVING and (op == "Concat" or touched == [0])):
                return None
            if op in ADDING and others <= self._constants:
                return None
            modes = [each.s for each in node.attribute if each.name == "mode"]
            if (op in INDEXED or (op == "Pad" and modes in ([], [b"constant"]))) and touched == [0]:
                return None
            if op == "Cast":
                return self._cast(node)
        return _no_sum(node)

    def _cast(self, node: onnx.NodeProto) -> Other | None:
        number = next((each.i for each in node.attribute if each.name == "to"), 0)
        if number not in set(ir.DataType):
            return Other(f"{name_of(node)!r} casts to type {number}, which isn't one", name_of(node))
        to = ir.DataType(number)
        if to == self._dtype or (to in RANK and RANK[to] > RANK.get(self._dtype, 9)):
            return None
        if to in INTEGERS and INTEGERS[to] >= INTEGERS.get(self._dtype, 9):
            return None  # those of one width are the same but for what they're called
        words = f"{name_of(node)!r} casts to {to.name}, which may not hold all of a {self._dtype.name}"
        return Other(words, name_of(node))

    def _bodies(self, node: onnx.NodeProto, bodies: list[onnx.GraphProto], numbers: set[str]) -> Other | None:
        """What's against a node with bodies; values of the graphs around are seen in them."""
        if node.op_type not in LOOPS:
            return _no_sum(node)
        for body in bodies:
            given = [value.name for value in body.input]
            fed = list(node.input)[-len(given) :] if node.op_type == "Scan" else [*given[:2], *list(node.input)[2:]]
            inner = numbers | {name for name, outer in zip(given, fed, strict=False) if outer in numbers}
            if node.op_type == "Loop":
                inner |= set(given[2:])  # what's carried is a sum by the second turn
            wrong = self.walk(body.node, inner)
            if wrong is not None:
                return wrong
        return None


def _no_sum(node: onnx.NodeProto) -> Other:
    return Other(f"{node.op_type} {name_of(node)!r} isn't a sum of products", name_of(node))
