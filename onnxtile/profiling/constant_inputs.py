"""Which constants feed a node: learned parameters, statistics, and the parameters of quantization.

A constant is seen through whatever is computed from constants alone (Identity, DequantizeLinear, Split, ...): the node
that uses the result is fed by what is stored. Only shapes and types are read, never the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Literal, TypeAlias

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int
from onnxtile.ir.graphs import subgraphs
from onnxtile.ir.metadata import SPARSE_META
from onnxtile.ir.symbolic.amounts import Amount, Unknown, bytes_of, total
from onnxtile.operators.table import entry_of
from onnxtile.operators.value_sizes import elements
from onnxtile.profiling.results import Weights, sum_weights

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


_SIZES = ("Shape", "Size", "SequenceLength")
"""Operators whose result doesn't hold the numbers of what they're given."""
MOST = 1024
"""Stored constants that are followed through what is computed from them together."""

NONE = Weights()
NOTHING: tuple[Weights, tuple[str, ...]] = (NONE, ())
_MANY = Unknown(f"it's fed by more than {MOST:,} constants, through others")
Sources: TypeAlias = tuple[ir.Value, ...]


class Constants:
    """Follows constants through a model whose nodes are told in the order in which they run."""

    def __init__(self, statistics: bool = True) -> None:
        """`statistics`: whether those count as weights."""
        self._behind: dict[ir.Value, Sources | None] = {}
        self._held: dict[int, ir.Value] = {}
        self._names: dict[ir.Value, str] = {}
        self._whole: dict[tuple[ir.Value, Role], Weights] = {}
        self._statistics = statistics
        self.used: dict[str, Weights] = {}
        """The stored constants that feed some node, each counted whole, by name."""

    def is_constant(self, value: ir.Value) -> bool:
        """Whether a value is stored, or computed from stored constants and nothing else."""
        return value.is_initializer() or SPARSE_META in value.meta or value in self._behind

    def _sources(self, value: ir.Value) -> Sources | None:
        """The stored constants that a constant value is computed from; None: too many to follow."""
        return self._behind.get(value, (value,))

    def stores(self, node: ir.Node) -> bool:
        """Whether the node only holds a constant."""
        if node.domain or node.op_type not in STORES:
            return False
        return all(value is not None and self.is_constant(value) for value in node.inputs)

    def enter(self, node: ir.Node, graph: ir.Graph | ir.Function) -> None:
        """Go into a graph that the node runs: what a Scan goes over, or a function is called with, may be constant."""
        if isinstance(graph, ir.Function):
            self._pass(zip_longest(node.inputs[: len(graph.inputs)], graph.inputs))
        elif node.op_type == "Scan" and node.domain == "":
            count = attribute_int(node, "num_scan_inputs", 0)
            self._pass(zip(node.inputs[-count:], graph.inputs[-count:], strict=False) if count > 0 else ())

    def leave(self, node: ir.Node, function: ir.Function) -> None:
        """Return from a function: what it computed from constants alone is constant outside, too."""
        self._pass(zip(function.outputs, node.outputs, strict=False))

    def _pass(self, pairs: Iterable[tuple[ir.Value | None, ir.Value | None]]) -> None:
        for given, taken in pairs:
            if taken is None:
                continue
            if given is not None and self.is_constant(given):
                self._behind[taken] = self._sources(given)
            else:
                self._behind.pop(taken, None)

    def meet(self, node: ir.Node, called: bool = False) -> tuple[Weights, tuple[str, ...]]:
        """The next node: remembers what it makes of constants, and tells which feed it, and their names.

        `called`: it calls a local function, whose nodes are fed in its place.
        """
        if self.stores(node):
            self._behind[node.outputs[0]] = (self._holder(node),)
            return NOTHING
        given = [(index, value) for index, value in enumerate(node.inputs) if value is not None]
        fed = [(role_of(node, index), index, value) for index, value in given if self.is_constant(value)]
        computed = bool(given) and len(fed) == len(given) and not called and _is_computed(node)
        sources = self._computed(node, fed) if computed else None
        for value in node.outputs:  # a function's are there from its last call
            if computed:
                self._behind[value] = sources
            else:
                self._behind.pop(value, None)
        return NOTHING if called or not fed or node.op_type in _SIZES else self._feeding(node, fed)

    def _computed(self, node: ir.Node, fed: Sequence[tuple[Role, int, ir.Value]]) -> Sources | None:
        """What a result holds numbers of: the data, and a coefficient only if there's nothing else."""
        data = [value for role, _, value in fed if role in ("data", "statistics")] if node.op_type not in _SIZES else []
        data = [value for value in data if not _is_coefficient(value)] or data
        found: dict[ir.Value, None] = {}
        for value in data:
            sources = self._sources(value)
            if sources is None or len(found) + len(sources) > MOST:
                return None
            found.update(dict.fromkeys(sources))
        return tuple(found)

    def _feeding(self, node: ir.Node, fed: Sequence[tuple[Role, int, ir.Value]]) -> tuple[Weights, tuple[str, ...]]:
        weights, names = [], []
        for role, index, value in fed:
            sources = self._sources(value)
            if sources == () or not self._counts(node, role, value):
                continue
            if sources and role == "data" and node.op_type != "PRelu" and all(map(_is_coefficient, sources)):
                continue  # it stays a coefficient when it's spread over a shape
            if sources is None:
                weights.append(Weights(_MANY, _MANY, _MANY))
                continue
            wholes = []
            for source in sources:
                whole, name = self._stored_whole(node, index, source, role), self._name(source)
                wholes.append(whole)
                names.append(name)
                if name not in self.used or _number(whole.params) > _number(self.used[name].params):
                    self.used[name] = whole
            weights.append(_part(sum_weights(wholes), value, sources))
        return (_together(weights), tuple(dict.fromkeys(names))) if weights else NOTHING

    def _stored_whole(self, node: ir.Node, index: int, source: ir.Value, role: Role) -> Weights:
        if node.op_type in _PACKED:  # by what the node says of it
            return _whole(node, index, source, role)
        found = self._whole.get((source, role))
        if found is None:
            found = self._whole[source, role] = _whole(node, index, source, role)
        return found

    def _holder(self, node: ir.Node) -> ir.Value:
        """The value that stands for a stored constant: copies of a function's Constant hold one and the same."""
        held = node.attributes.get("value") if node.op_type == "Constant" else None
        return node.outputs[0] if held is None else self._held.setdefault(id(held), node.outputs[0])

    def _name(self, source: ir.Value) -> str:
        """The constant's name; graphs apart may use one for several constants, which are numbered then."""
        if source not in self._names:
            name, number = str(source.name), 2
            while name in self.used:
                name, number = f"{source.name} ({number})", number + 1
            self._names[source] = name
        return self._names[source]

    def _counts(self, node: ir.Node, role: Role, value: ir.Value) -> bool:
        """Whether a constant input is a weight: floating-point or quantized numbers; no coefficient, shape, index."""
        if role == "setting" or (role == "statistics" and not self._statistics):
            return False
        if role == "quantization":
            return True
        if _is_coefficient(value) and node.op_type != "PRelu":
            return False
        if node.op_type in ("Loop", "Scan") and elements(value) == 1:
            return False  # a zero to begin a sum with
        if value.dtype is None or value.dtype.is_floating_point():
            return True
        if node.op_type in _QUANTIZATION or node.op_type in _PACKED:
            return True
        return entry_of(node) is not None and value.dtype.is_integer() and value.dtype.bitwidth <= _NARROW


def _is_coefficient(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) == 0


def role_of(node: ir.Node, index: int) -> Role:
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


def _part(whole: Weights, value: ir.Value, sources: Sources) -> Weights:
    """What of the stored constants reaches the node: a part of them, where they were split."""
    part, stored = elements(value), total(elements(source) for source in sources)
    numbers = (part, stored, whole.params, whole.buffers, whole.bytes)
    if sources == (value,) or not all(isinstance(each, int) for each in numbers) or part >= stored:  # type: ignore[operator]
        return whole
    return Weights(*(-(-each * part // stored) for each in (whole.params, whole.buffers, whole.bytes)))  # type: ignore[operator]


def _together(weights: Sequence[Weights]) -> Weights:
    """The sum, unknown where one of them is."""
    found = sum_weights(weights)
    unknown = [
        next((amount for each in weights if isinstance(amount := getattr(each, name), Unknown)), None)
        for name in ("params", "buffers", "bytes")
    ]
    return Weights(
        *(why or amount for why, amount in zip(unknown, (found.params, found.buffers, found.bytes), strict=True))
    )


def _whole(node: ir.Node, index: int, source: ir.Value, role: Role) -> Weights:
    size, count = _stored(source)
    if role == "quantization":
        return Weights(0, 0, size)
    indices, name, default = _PACKED.get(node.op_type, ((), "", 8))
    if index in indices and isinstance(count, int) and source.dtype == ir.DataType.UINT8:
        try:
            bits = attribute_int(node, name, default) if name else default
            count = count * 8 // bits if bits else count
            if node.op_type in ("MatMulNBits", "MatMulBnb4"):
                count = min(count, attribute_int(node, "K", count) * attribute_int(node, "N", 1))
        except UnsizedError as error:
            why = Unknown(f"how {source.name!r} is packed isn't known: {error}")
            return Weights(why, why if role == "statistics" else 0, size)
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
