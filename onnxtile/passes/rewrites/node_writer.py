"""Write the nodes that replace one by the names of their operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxtile.errors import PassError
from onnxtile.ir.arrays import read_array
from onnxtile.ir.constants import constant_tensor, declared_ir_version, raise_ir_version
from onnxtile.ir.names import Names
from onnxtile.passes.base import CONSTANTS_FROM
from onnxtile.passes.rewrites.operand_types import OperandTypes, result_types
from onnxtile.passes.rewrites.replacement import Replacement


class NodeWriter:
    """Makes nodes: `op.Mul(x, 0.5)` is a Mul, and returns its output; `op.Split(x, axis=1, outputs=2)` both of its.

    Operands are values, None, or numbers, which become constants of the type that the operator wants there. Nodes are
    named after the one that they replace, and after their operators. `opset`: the version of the default operator set
    in which to write.
    """

    def __init__(self, node: ir.Node, model: ir.Model, names: Names, opset: int) -> None:
        self.opset = opset
        self._model, self._new = model, Replacement(node, names)
        self._counts, self._constants = dict[str, int](), list[ir.Value]()

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if not op_type[:1].isupper():
            raise AttributeError(f"{op_type!r} isn't the name of an operator")

        def made(
            *operands: Any, outputs: int = 1, dtype: ir.DataType | None = None, domain: str = "", **attributes: Any
        ) -> Any:
            types = OperandTypes(op_type, domain, self.opset, operands)
            inputs = [
                value if value is None or isinstance(value, ir.Value) else self._number(value, types, op_type, index)
                for index, value in enumerate(operands)
            ]
            return self._made(op_type, domain, inputs, attributes, outputs, dtype)

        return made

    def numbers(self, value: ir.Value | None) -> np.ndarray | None:
        """Return the numbers that a value always has, whatever is fed; None: it isn't a constant."""
        tensor = constant_tensor(value, declared_ir_version(self._model))
        return None if tensor is None else read_array(tensor)

    def constant(self, numbers: Any, dtype: ir.DataType | None = None) -> ir.Value:
        """Make a constant of numbers.

        Without `dtype`, an array keeps its type, and Python's numbers are float32, int64 or bool.
        """
        array = np.asarray(numbers)
        if dtype is None and not isinstance(numbers, (np.ndarray, np.generic)) and array.dtype == np.float64:
            dtype = ir.DataType.FLOAT
        dtype = dtype or ir.DataType.from_numpy(array.dtype)
        value = self._new.constant(self._leaf("constant"), np.array(array, dtype.numpy()), dtype)
        self._constants.append(value)
        return value

    def _number(self, number: Any, types: OperandTypes, op_type: str, index: int) -> ir.Value:
        """Make a constant of the type that an operator wants. Raises PassError where that isn't known."""
        beside = types.unknown(index)
        if beside is not None and not isinstance(number, (np.ndarray, np.generic)):
            raise PassError(
                f"the type of {number!r} in op.{op_type} follows from {beside.name!r}, whose type isn't known: run "
                "infer-shapes before the pass; or, in a local function, whose types are each caller's, write "
                f"op.CastLike({number!r}, value)"
            )
        return self.constant(number, types.wanted(index))

    def _made(
        self,
        op_type: str,
        domain: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any],
        outputs: int,
        dtype: ir.DataType | None,
    ) -> Any:
        """Add a node, and return its output, or a tuple of them: of `dtype`, or of the types that onnx infers."""
        first = self._new.node(op_type, self._leaf(op_type.lower()), inputs, attributes, None, _ANY, domain)
        node = self._new.nodes[-1]
        node.resize_outputs(outputs)
        for index, value in enumerate(node.outputs):
            value.name = f"{first.name}.{index}" if index else first.name
        types = [dtype] * outputs if dtype else result_types(node, self.opset)
        for value, own in zip(node.outputs, types, strict=True):
            value.type = None if own is None else ir.TensorType(own)
        return first if outputs == 1 else tuple(node.outputs)

    def _leaf(self, word: str) -> str:
        """Return a name for what is made: `mul`, `mul_1`, ..."""
        self._counts[word] = count = self._counts.get(word, -1) + 1
        return f"{word}_{count}" if count else word

    def take_back(self) -> None:
        """Drop what was made."""
        for node in self._new.nodes:
            for index in range(len(node.inputs)):
                node.replace_input_with(index, None)
        for value in self._constants:
            if value.producer() is None and isinstance(value.graph, ir.Graph):
                value.graph.initializers.pop(str(value.name))

    def swap_in(self, values: Sequence[ir.Value | None]) -> None:
        """Let values take the place of the node's outputs; those that weren't made for it do through an Identity."""
        made = {value for node in self._new.nodes for value in node.outputs}
        outputs: list[ir.Value | None] = []
        for value in values:
            own = value is None or (value in made and value not in outputs)
            outputs.append(value if own else self.Identity(value))
        if self._constants:
            raise_ir_version(self._model, CONSTANTS_FROM)
        self._new.swap_in(*outputs)


_ANY = ir.DataType.FLOAT
"""The type that a value has until its own is set."""
