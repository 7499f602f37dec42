"""Find which constants feed a node: learned parameters, statistics, and the parameters of quantization.

A constant is seen through whatever is computed from constants alone (Identity, DequantizeLinear, Split, ...): the node
that uses the result is fed by what is stored. Only shapes and types are read, never the numbers. What each input of an
operator is to it stands where the operator is declared (`operators/`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TypeAlias

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int
from onnxtile.ir.graphs import subgraphs
from onnxtile.ir.metadata import SPARSE_META
from onnxtile.ir.symbolic.amounts import Amount, Unknown, bytes_of, known_total, total
from onnxtile.operators.registry import Facts, Role, products_of
from onnxtile.operators.sizes import elements
from onnxtile.operators.table import facts_of
from onnxtile.operators.work import NONE as WORKLESS
from onnxtile.profiling.results import Weights, sum_weights

STORES = ("Constant", "ConstantOfShape")
"""Operators that only hold a constant (ConstantOfShape: where its shape is one)."""
_NARROW = 16
"""Bits up to which a product's constant integers are quantized weights; beyond they may be lengths and the like."""
TAKING_TABLES = ("Gather", "GatherElements", "GatherND", "Loop", "Scan")
"""Operators that take quantized weights as they are: they choose rows of them, or hand them to a body."""
MOST = 1024
"""Stored constants that are followed through what is computed from them together."""

NONE = Weights()
NOTHING: tuple[Weights, tuple[str, ...]] = (NONE, ())
_MANY = Unknown(f"it's fed by more than {MOST:,} constants, through others")
_UNDECLARED = Facts(None, WORKLESS)
"""Taken for granted of an operator that isn't declared: its inputs are data."""
Sources: TypeAlias = tuple[ir.Value, ...]
ConstantInputs: TypeAlias = Sequence[tuple[Role, int, ir.Value]]
"""The constant inputs of a node: what each is to it, which one it is, and the value."""


class Constants:
    """The constants of a model, followed through its nodes, which are met in the order in which they run."""

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
        """Return whether a value is stored, or computed from stored constants and nothing else."""
        if value.is_initializer() or value in self._behind:
            return True
        return value.is_graph_input() and SPARSE_META in value.meta  # asking for it makes an empty one

    def _sources(self, value: ir.Value) -> Sources | None:
        """Return the stored constants that a constant value is computed from; None: too many to follow."""
        return self._behind.get(value, (value,))

    def stores(self, node: ir.Node) -> bool:
        """Return whether the node only holds a constant."""
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
        for source, target in pairs:
            if target is None:
                continue
            if source is not None and self.is_constant(source):
                self._behind[target] = self._sources(source)
            else:
                self._behind.pop(target, None)

    def meet(self, node: ir.Node, called: bool = False) -> tuple[Weights, tuple[str, ...]]:
        """Take in the next node: remember what it computes from constants, return which feed it, and their names.

        `called`: it calls a local function, whose nodes are fed instead.
        """
        if self.stores(node):
            self._behind[node.outputs[0]] = (self._holder(node),)
            return NOTHING
        facts = facts_of(node) or _UNDECLARED
        inputs = [(index, value) for index, value in enumerate(node.inputs) if value is not None]
        fed = [(facts.role(index), index, value) for index, value in inputs if self.is_constant(value)]
        computed = bool(inputs) and len(fed) == len(inputs) and not called and _is_computed(node, facts)
        sources = self._computed(facts, fed) if computed else None
        for value in node.outputs:  # a function's are known from its last call
            if computed:
                self._behind[value] = sources
            else:
                self._behind.pop(value, None)
        return NOTHING if called or not fed or facts.result == "sizes" else self._feeding(node, facts, fed)

    def _computed(self, facts: Facts, fed: ConstantInputs) -> Sources | None:
        """Return the constants whose numbers a result holds: data, coefficients only if there's nothing else."""
        data = [value for role, _, value in fed if role in ("data", "statistics") and facts.result != "sizes"]
        data = [value for value in data if not _is_coefficient(value)] or data
        held: dict[ir.Value, None] = {}
        for value in data:
            sources = self._sources(value)
            if sources is None or len(held) + len(sources) > MOST:
                return None
            held.update(dict.fromkeys(sources))
        return tuple(held)

    def _feeding(self, node: ir.Node, facts: Facts, fed: ConstantInputs) -> tuple[Weights, tuple[str, ...]]:
        weights, names = [], []
        for role, index, value in fed:
            sources = self._sources(value)
            if sources == () or not self._counts(node, facts, role, value):
                continue
            if sources and role == "data" and node.op_type != "PRelu" and all(map(_is_coefficient, sources)):
                continue  # it stays a coefficient when it's spread over a shape
            if sources is None:
                weights.append(Weights(_MANY, _MANY, _MANY))
                continue
            wholes = []
            for source in sources:
                whole, name = self._stored_whole(node, facts, index, source, role), self._name(source)
                wholes.append(whole)
                names.append(name)
                if name not in self.used or _number(whole.params) > _number(self.used[name].params):
                    self.used[name] = whole
            weights.append(_share(sum_weights(wholes), value, sources))
        return (_together(weights), tuple(dict.fromkeys(names))) if weights else NOTHING

    def _stored_whole(self, node: ir.Node, facts: Facts, index: int, source: ir.Value, role: Role) -> Weights:
        if facts.packed is not None:  # by what the node says of it
            return _whole(node, facts, index, source, role)
        whole = self._whole.get((source, role))
        if whole is None:
            whole = self._whole[source, role] = _whole(node, facts, index, source, role)
        return whole

    def _holder(self, node: ir.Node) -> ir.Value:
        """Return the value that stands for a stored constant: copies of a function's Constant hold one and the same."""
        held = node.attributes.get("value") if node.op_type == "Constant" else None
        return node.outputs[0] if held is None else self._held.setdefault(id(held), node.outputs[0])

    def _name(self, source: ir.Value) -> str:
        """Return the constant's name; graphs may use one for several constants, which are numbered then."""
        if source not in self._names:
            name, number = str(source.name), 2
            while name in self.used:
                name, number = f"{source.name} ({number})", number + 1
            self._names[source] = name
        return self._names[source]

    def _counts(self, node: ir.Node, facts: Facts, role: Role, value: ir.Value) -> bool:
        """Return whether a constant is a weight: floating-point or quantized numbers; no coefficient, shape, index."""
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
        narrow = value.dtype.is_integer() and value.dtype.bitwidth <= _NARROW
        if narrow and (node.op_type in TAKING_TABLES or products_of(node) is not None):
            return True
        return facts.quantization != () or facts.packed is not None


def _is_coefficient(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) == 0


def _is_computed(node: ir.Node, facts: Facts) -> bool:
    """Return whether the outputs follow from the inputs alone."""
    return facts.result not in ("random", "wrapped") and not any(map(subgraphs, node.attributes.values()))


def _share(whole: Weights, value: ir.Value, sources: Sources) -> Weights:
    """Return what of the stored constants reaches the node: a share of them, where they were split."""
    if sources == (value,):
        return whole
    share, stored = elements(value), total(elements(source) for source in sources)
    numbers = (share, stored, whole.params, whole.buffers, whole.bytes)
    if not all(isinstance(number, int) for number in numbers) or share >= stored:  # type: ignore[operator]
        return whole
    return Weights(*(-(-number * share // stored) for number in numbers[2:]))  # type: ignore[operator]


def _together(weights: Sequence[Weights]) -> Weights:
    """Return the sum, unknown where one of them is."""
    if len(weights) == 1:
        return weights[0]
    columns = zip(*((one.params, one.buffers, one.bytes) for one in weights), strict=True)
    return Weights(*(known_total(column) for column in columns))


def _whole(node: ir.Node, facts: Facts, index: int, source: ir.Value, role: Role) -> Weights:
    size, count = stored_size(source)
    if role == "quantization":
        return Weights(0, 0, size)
    packed = facts.packed
    if packed and index in packed.inputs and isinstance(count, int) and source.dtype == ir.DataType.UINT8:
        try:
            bits = attribute_int(node, packed.attribute, packed.bits) if packed.attribute else packed.bits
            count = count * 8 // bits if bits else count
            if packed.shape:
                count = min(count, math.prod(attribute_int(node, name, count) for name in packed.shape))
        except UnsizedError as error:
            why = Unknown(f"how {source.name!r} is packed isn't known: {error}")
            return Weights(why, 0, size)
    return Weights(count, count if role == "statistics" else 0, size)


def stored_size(source: ir.Value) -> tuple[Amount, Amount]:
    """Return bytes and numbers of a stored constant."""
    sparse = source.meta.get(SPARSE_META) if source.is_graph_input() else None  # asking for it makes an empty one
    if sparse is not None:
        numbers, indices = math.prod(sparse.values.dims), math.prod(sparse.indices.dims)
        bits = ir.DataType(sparse.values.data_type).bitwidth
        return total([bytes_of(numbers, bits), 8 * indices]), numbers
    tensor = source.const_value
    count = elements(source) if tensor is None else math.prod(tensor.shape.numpy())
    dtype = source.dtype if tensor is None else tensor.dtype
    if dtype == ir.DataType.STRING:
        return Unknown(f"{source.name!r} holds strings, whose lengths differ"), count
    if dtype is None:
        return Unknown(f"the type of {source.name!r} isn't known"), count
    return bytes_of(count, dtype.bitwidth), count


def _number(amount: Amount) -> int:
    return amount if isinstance(amount, int) else 0
