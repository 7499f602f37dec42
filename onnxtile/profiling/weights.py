"""Which constants feed a node: learned parameters, statistics, and the parameters of quantization.

A constant is seen through whatever is computed from constants alone (Identity, DequantizeLinear, Split, ...): the node
that uses the result is fed by what is stored. Only shapes and types are read, never the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import onnx_ir as ir

from onnxtile.constants import SPARSE_META
from onnxtile.contraction import attribute_int, entry_of, subgraphs
from onnxtile.profiling.amounts import Amount, Unknown, bytes_of, total
from onnxtile.profiling.record import Weights, sum_weights
from onnxtile.profiling.values import elements

Role = Literal["data", "statistics", "quantization", "setting"]
STORES = ("Constant", "ConstantOfShape")
"""Operators that only hold a constant (ConstantOfShape: where its shape is one)."""
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")
_NARROW = 16
"""Bits up to which a product's constant integers are quantized weights; beyond they may be lengths and the like."""

_OPERANDS = {1, 2, 4, 5, 6, 7}
"""Scales and zero points of an operator on A, B and its result, each followed by its own."""
_QUANTIZATION: Mapping[str, set[int]] = {
    "QuantizeLinear": {1, 2}, "DequantizeLinear": {1, 2}, "DynamicQuantizeLinear": set(),
    "QLinearConv": _OPERANDS, "QLinearMatMul": _OPERANDS, "QLinearAdd": _OPERANDS, "QLinearMul": _OPERANDS,
    "QGemm": {1, 2, 4, 5, 7, 8}, "MatMulInteger": {2, 3}, "ConvInteger": {2, 3}, "MatMulIntegerToFloat": {2, 3, 4, 5},
    "DynamicQuantizeMatMul": {2, 3}, "MatMulNBits": {2, 3}, "MatMulBnb4": {2}, "GatherBlockQuantized": {2, 3},
    "DynamicQuantizeLSTM": {8, 9, 10, 11}, "QAttention": {3, 4, 6, 7},
    "QLinearLeakyRelu": {1, 2, 3, 4}, "QLinearSigmoid": {1, 2, 3, 4}, "QLinearSoftmax": {1, 2, 3, 4},
    "QLinearAveragePool": {1, 2, 3, 4}, "QLinearGlobalAveragePool": {1, 2, 3, 4},
    "MatMulNBitsMlp": {4, 5, 7, 8}, "QMoE": {3, 6, 9, 11, 12, 13},
}  # fmt: skip
_SETTINGS: Mapping[str, set[int]] = {
    "Clip": {1, 2}, "Pow": {1}, "Resize": {1, 2, 3}, "Upsample": {1}, "Pad": {1, 2, 3}, "Dropout": {1, 2},
    "Range": {0, 1, 2}, "OneHot": {0, 1, 2}, "NonMaxSuppression": {2, 3, 4}, "Expand": {1}, "Tile": {1},
    "Slice": {1, 2, 3, 4}, "Reshape": {1}, "Squeeze": {1}, "Unsqueeze": {1}, "Split": {1}, "Gather": {1}, "Where": {0},
    "GatherElements": {1}, "GatherND": {1}, "ScatterND": {1}, "ScatterElements": {1}, "Trilu": {1}, "TopK": {1},
    "CumSum": {1}, "ReduceSum": {1}, "ReduceMean": {1}, "ReduceMax": {1}, "ReduceMin": {1},
    "RoiAlign": {1, 2}, "CropAndResize": {1, 2, 3}, "MelWeightMatrix": {0, 1, 2, 3, 4},
}  # fmt: skip
_STATISTICS: Mapping[str, set[int]] = {"BatchNormalization": {3, 4}}
_PACKED: Mapping[str, tuple[set[int], str, int]] = {
    "MatMulNBits": ({1}, "bits", 4),
    "MatMulBnb4": ({1}, "", 4),
    "GatherBlockQuantized": ({0}, "bits", 4),
    "QMoE": ({2, 5, 8}, "expert_weight_bits", 4),
    "MatMulNBitsMlp": ({3, 6}, "bits", 4),
}
"""Inputs that hold several numbers in a byte, the attribute that says how many bits each has, and its default."""


NONE = Weights()
NOTHING: tuple[Weights, tuple[str, ...]] = (NONE, ())


class Constants:
    """Follows constants through a model whose nodes are told in the order in which they run."""

    def __init__(self, statistics: bool = True) -> None:
        """`statistics`: whether those count as weights."""
        self._behind: dict[ir.Value, frozenset[ir.Value]] = {}
        self._names: dict[ir.Value, str] = {}
        self._statistics = statistics
        self.used: dict[str, Weights] = {}
        """The stored constants that feed some node, each counted whole, by name."""

    def behind(self, value: ir.Value) -> frozenset[ir.Value] | None:
        """The stored constants that a value is computed from, if from nothing else."""
        if value.is_initializer() or SPARSE_META in value.meta:
            return frozenset((value,))
        return self._behind.get(value)

    def stores(self, node: ir.Node) -> bool:
        """Whether the node only holds a constant."""
        if node.domain or node.op_type not in STORES:
            return False
        return all(value is not None and self.behind(value) is not None for value in node.inputs)

    def enter(self, node: ir.Node, graph: ir.Graph | ir.Function) -> None:
        """Go into a graph that the node runs: what a Scan goes over, or a function is called with, may be constant."""
        inputs = list(node.inputs)
        if node.op_type == "Scan" and node.domain == "":
            count = attribute_int(node, "num_scan_inputs", 0)
            pairs = list(zip(inputs[-count:], graph.inputs[-count:], strict=False)) if count > 0 else []
        else:
            pairs = list(zip(inputs, graph.inputs, strict=False)) if isinstance(graph, ir.Function) else []
        for given, taken in pairs:
            behind = None if given is None else self.behind(given)
            if behind is not None:
                self._behind[taken] = behind
            else:
                self._behind.pop(taken, None)

    def meet(self, node: ir.Node) -> tuple[Weights, tuple[str, ...]]:
        """The next node: remembers what it makes of constants, and tells which feed it, and their names."""
        found = [(index, value, self.behind(value)) for index, value in enumerate(node.inputs) if value is not None]
        if self.stores(node):
            self._behind[node.outputs[0]] = frozenset(node.outputs)
            return NOTHING
        fed = [
            (role_of(node, index, value), index, value, behind) for index, value, behind in found if behind is not None
        ]
        if found and len(fed) == len(found) and _is_computed(node):
            of_data = [behind for role, _, _, behind in fed if role in ("data", "statistics")]
            sources: frozenset[ir.Value] = frozenset().union(*of_data)
            self._behind.update((value, sources) for value in node.outputs)
        weights, names = [], []
        for role, index, value, behind in fed:
            if not behind or not self._counts(node, role, value, behind):
                continue
            weights.append(_fed(node, index, value, behind, role))
            for source in behind:
                whole, name = _whole(node, index, source, role), self._name(source)
                names.append(name)
                if _number(whole.params) >= _number(self.used.get(name, NONE).params):
                    self.used[name] = whole
        return (sum_weights(weights), tuple(dict.fromkeys(names))) if weights else NOTHING

    def _name(self, source: ir.Value) -> str:
        """The constant's name; graphs apart may use one for several constants, which are numbered then."""
        if source not in self._names:
            name, number = str(source.name), 2
            while name in self.used:
                name, number = f"{source.name} ({number})", number + 1
            self._names[source] = name
        return self._names[source]

    def _counts(self, node: ir.Node, role: Role, value: ir.Value, behind: frozenset[ir.Value]) -> bool:
        """Whether a constant input is a weight: floating-point or quantized numbers; no coefficient, shape, index."""
        if role == "setting" or (role == "statistics" and not self._statistics):
            return False
        if role == "quantization":
            return True
        if node.op_type != "PRelu" and (_is_coefficient(value) or all(map(_is_coefficient, behind))):
            return False  # a coefficient stays one when it's spread over a shape
        if node.op_type in ("Loop", "Scan") and elements(value) == 1:
            return False  # a zero to begin a sum with
        if value.dtype is None or value.dtype.is_floating_point():
            return True
        if node.op_type in _QUANTIZATION or node.op_type in _PACKED:
            return True
        return entry_of(node) is not None and value.dtype.is_integer() and value.dtype.bitwidth <= _NARROW


def _is_coefficient(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) == 0


def role_of(node: ir.Node, index: int, value: ir.Value) -> Role:
    """What an input of the node is to it."""
    op = node.op_type
    if index in _QUANTIZATION.get(op, ()) or (op == "QLinearConcat" and (index < 2 or index % 3 != 2)):
        return "quantization"
    if index in _SETTINGS.get(op, ()):
        return "setting"
    return "statistics" if index in _STATISTICS.get(op, ()) else "data"


def _is_computed(node: ir.Node) -> bool:
    """Whether the outputs follow from the inputs alone."""
    if node.op_type in _RANDOM or node.op_type == "Optional":
        return False
    return not any(subgraphs(attribute) for attribute in node.attributes.values())


def _fed(node: ir.Node, index: int, value: ir.Value, behind: frozenset[ir.Value], role: Role) -> Weights:
    """What of the stored constants reaches the node: a part of them, where they were split."""
    whole = sum_weights([_whole(node, index, source, role) for source in behind])
    part = elements(value)
    if behind == {value} or not isinstance(part, int) or not isinstance(whole.params, int):
        return whole
    stored = whole.params if role != "quantization" else sum(_number(elements(source)) for source in behind)
    if part >= stored or not isinstance(whole.bytes, int):
        return whole
    share = -(-whole.bytes * part // stored)
    return Weights(part if whole.params else 0, part if whole.buffers else 0, share)


def _whole(node: ir.Node, index: int, source: ir.Value, role: Role) -> Weights:
    size, count = _stored(source)
    if role == "quantization":
        return Weights(0, 0, size)
    indices, name, default = _PACKED.get(node.op_type, ((), "", 8))
    if index in indices and isinstance(count, int) and source.dtype == ir.DataType.UINT8:
        bits = attribute_int(node, name, default) if name else default
        count = count * 8 // bits if bits else count
        if node.op_type in ("MatMulNBits", "MatMulBnb4"):
            count = min(count, attribute_int(node, "K", count) * attribute_int(node, "N", 1))
    return Weights(count, count if role == "statistics" else 0, size)


def _stored(source: ir.Value) -> tuple[Amount, Amount]:
    """Bytes and numbers of a stored constant."""
    sparse = source.meta.get(SPARSE_META)
    if sparse is not None:
        numbers, indices = math.prod(sparse.values.dims), math.prod(sparse.indices.dims)
        bits = ir.DataType(sparse.values.data_type).bitwidth
        return total([bytes_of(numbers, bits), 8 * indices]), numbers
    tensor, count = source.const_value, elements(source)
    if tensor is not None:
        count = math.prod(tensor.shape.numpy())
    dtype = source.dtype if tensor is None else tensor.dtype
    if dtype == ir.DataType.STRING:
        return Unknown(f"{source.name!r} holds strings, whose lengths differ"), count
    if dtype is None:
        return Unknown(f"the type of {source.name!r} isn't known"), count
    return bytes_of(count, dtype.bitwidth), count


def _number(amount: Amount) -> int:
    return amount if isinstance(amount, int) else 0
