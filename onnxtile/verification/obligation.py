"""What has to be shown of a region: two small models without weights, and numbers to be fed to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import onnx
import onnx_ir as ir

from onnxtile.ir.dtypes import FLOATS
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.einsum import Einsum
from onnxtile.passes.base import CONSTANTS_FROM
from onnxtile.verification.constant_nodes import with_constants
from onnxtile.verification.derivations import Cut, Derivation, Factor
from onnxtile.verification.explaining import Expected, Explained, Tile, explain
from onnxtile.verification.facts import Fact, Facts
from onnxtile.verification.graphs import nodes_inside
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Cone, Difference, Region
from onnxtile.verification.polynomial import INTEGERS, MOVING, what_else
from onnxtile.verification.roundoff import UNIT

PLAIN = frozenset(
    {("", "MatMul"), ("", "Gemm"), ("", "MatMulInteger")}
    | {("com.microsoft", name) for name in ("FusedMatMul", "TransposeMatMul")}
)
"""Products of two operands as they are, perhaps times a factor, perhaps with a bias."""
LINEAR = PLAIN | {("", "Einsum")}
"""Operators that are linear in each input, without negative coefficients: whole numbers make them exact."""
TURNING = frozenset((("", "Einsum"), ("com.microsoft", "FusedMatMul")))
"""Operators that may read an operand's axes in any order."""
STAND_INS = {"alpha": 2.0, "beta": 3.0}
"""Factors that are taken for those of the model's that would have to be rounded."""
FINEST = 16
"""Factors that are multiples of 1/16 and not above 16 are taken as they are."""
MOVES = frozenset(("", name) for name in (*MOVING, "Constant"))
"""Operators that may stand beside the product in the original."""
INTEGER = frozenset({("", "MatMulInteger"), ("", "QLinearMatMul"), ("com.microsoft", "MatMulIntegerToFloat")})
"""Operators whose sums are of integers: exact whatever the numbers."""


@dataclass(frozen=True)
class Operand:
    """Something to be fed, whose numbers are made up."""

    name: str
    dtype: ir.DataType
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Arithmetic:
    """An element is a sum of `terms` products of `operands` numbers in `dtype`; of multiples of 1/`steps`.

    `terms` is 0 where sums are of integers, which are exact whatever they are.
    """

    dtype: ir.DataType
    terms: int
    operands: int = 2
    steps: int = 1


@dataclass(frozen=True)
class Obligation:
    """Both models, as bytes, have to give the same bits for `outputs` on the same operands.

    `derived`: constants of the lowered region that follow from operands and factors, one way or more. `factors`: the
    attributes of the original's node, by name.
    """

    original: bytes
    lowered: bytes
    outputs: tuple[str, ...]
    operands: tuple[Operand, ...]
    derived: tuple[tuple[tuple[str, Derivation], ...], ...]
    factors: tuple[tuple[str, float], ...]
    arithmetic: Arithmetic
    nodes: int


@dataclass(frozen=True)
class Inexact:
    """Why a region can't be proven exactly."""

    reason: str


def oblige(
    region: Region, original: Opened, lowered: Opened, facts: Facts, tiles: Mapping[str, Tile]
) -> tuple[Obligation | Inexact, Explained]:
    """What has to be shown of a region, and how its constants follow from the original's. `tiles`: those among them."""
    region = replace(region, original=with_constants(region, original, facts))
    ahead = _shrunk_ahead(region, facts)
    if ahead is not None:
        return Inexact(f"constant {ahead!r} is summed up, or its diagonal taken, ahead of time"), Explained()
    operators = {_operator(node) for node in region.original.nodes} - MOVES
    factors = factors_of(region.node)
    one = len(operators) == 1
    integers = operators.isdisjoint(INTEGER) and any(each.dtype in INTEGERS for each in products_of(region, facts))
    expected = Expected(one and operators <= PLAIN, operators <= TURNING, integers)
    explained = explain(region, original, lowered, factors, tiles, expected)
    told = {each.factor for each in explained.derived[0].values() if not isinstance(each, Cut)}
    stand_ins = {name: STAND_INS[name] for name, value in factors.items() if name in told and not _fine(value)}
    try:
        arithmetic = _arithmetic(region, operators, facts, factors | stand_ins)
        operands = _operands(region, facts, arithmetic)
    except InexactError as error:
        return Inexact(str(error)), explained
    names = {operand.name for operand in operands} | explained.derived[0].keys()
    other = None
    if arithmetic.terms:
        zeros = {name for name in explained.kept if not lowered.array(region.lowered.constants[name]).any()}
        other = what_else(region.lowered.nodes, names, names | zeros, arithmetic.dtype, region.lowered.functions)
    if other is not None:
        difference = Difference(region.name, region.node.op_type, region.scope, other.words, (other.node,))
        explained.differences.append(difference)
    if explained.unexplained and arithmetic.terms:
        words = f"how constant {explained.unexplained[0]!r} follows from the original's isn't known"
        return Inexact(words), explained
    derived = explained.derived if arithmetic.terms else [{}]
    known = {operand.name for operand in operands}
    for name, derivation in [each for way in derived for each in way.items()]:
        if not isinstance(derivation, Factor) and derivation.source not in known:
            return Inexact(
                f"constant {name!r} follows from {derivation.source!r}, whose numbers aren't replaced"
            ), explained
    fed = [[each for each in operands if each.name in _read(cone)] for cone in (region.original, region.lowered)]
    for name in derived[0]:
        tensor = region.lowered.constants[name]
        fed[1].append(Operand(name, ir.DataType(tensor.data_type), tuple(tensor.dims)))
    ours = _model(region.original, region, original, facts, fed[0])
    theirs = _model(region.lowered, region, lowered, facts, fed[1])
    _set_factors(ours, region.node, stand_ins)
    return Obligation(
        ours.SerializeToString(deterministic=True),
        theirs.SerializeToString(deterministic=True),
        tuple(region.outputs),
        tuple(operands),
        tuple(tuple(way.items()) for way in derived),
        tuple((factors | stand_ins).items()),
        arithmetic,
        len(region.lowered.nodes),
    ), explained


def alone(region: Region, cone: Cone, opened: Opened, facts: Facts) -> bytes:
    """One side of a region as a model of its own, with its constants. Raises InexactError where shapes aren't known."""
    fed = [
        Operand(name, fact.dtype, fact.shape) for name in region.inputs for fact in [_fact(facts, region.scope, name)]
    ]
    return bytes(_model(cone, region, opened, facts, fed).SerializeToString(deterministic=True))


def factors_of(node: onnx.NodeProto) -> dict[str, float]:
    """The attributes that a product is scaled by."""
    return {each.name: each.f for each in node.attribute if each.name in STAND_INS}


class InexactError(Exception):
    """Why a region can't be proven exactly."""


def _arithmetic(
    region: Region, operators: set[tuple[str, str]], facts: Facts, factors: Mapping[str, float]
) -> Arithmetic:
    if len(operators) != 1:
        names = ", ".join(sorted(name for _, name in operators)) or "no product"
        raise InexactError(f"the region holds {names}, not one product")
    (operator,) = operators
    if operator in INTEGER:
        return Arithmetic(ir.DataType.INT32, 0)
    if operator not in LINEAR:
        raise InexactError(f"{operator[1]} isn't exact on whole numbers")
    products = products_of(region, facts)
    nodes = {id(found.node) for found in products}
    lengths = [found.size.k for found in products]
    dtype = products[0].dtype if products else None
    if len(nodes) != 1 or dtype is None or (dtype not in UNIT and not dtype.is_integer()):
        raise InexactError("the region holds not one product of numbers")
    if not all(isinstance(length, int) for length in lengths):
        raise InexactError("the length of its sums isn't known")
    if not all(map(_fine, factors.values())):
        raise InexactError("it's scaled by a factor that has to be rounded")
    terms = math.prod(max(int(length), 1) for length in lengths if isinstance(length, int))
    terms = terms * math.ceil(abs(factors.get("alpha", 1.0))) + math.ceil(abs(factors.get("beta", 1.0)))
    steps = max([1, *((FINEST if not value.is_integer() else 1) for value in factors.values())])
    operands = 2 if operator in PLAIN else max(2, len(products[0].node.inputs))
    return Arithmetic(dtype, terms, operands, steps)


def products_of(region: Region, facts: Facts) -> list[Contraction]:
    """Return the products of the region's original."""
    made = [facts.products.get((region.scope, name), []) for node in region.original.nodes for name in node.output]
    return [found for each in made for found in each]


def _shrunk_ahead(region: Region, facts: Facts) -> str | None:
    """Return a constant of an Einsum that is another, smaller one in the lowered region; None: there's none."""
    for node in {found.node: None for found in products_of(region, facts) if found.node.op_type == "Einsum"}:
        names = [str(value.name) for value in node.inputs if value is not None]
        constants = region.original.constants.keys() - region.lowered.constants.keys()
        for index, name in enumerate(names):
            if name in constants and Einsum.of(node).equation.shrinks(index):
                return name
    return None


def _fine(factor: float) -> bool:
    """Whether a factor of whole numbers costs no rounding worth speaking of: it can be taken as it is."""
    return abs(factor) <= FINEST and (factor * FINEST).is_integer()


def _operands(region: Region, facts: Facts, arithmetic: Arithmetic) -> list[Operand]:
    """What is fed, the factors of the product first: shared values, and constants of the product's type.

    Where a type has no room for all terms at once, the first is fed in parts (a bias would leave the sums as they are).
    """
    operands = []
    for name in region.inputs:
        fact = _fact(facts, region.scope, name)
        operands.append(Operand(name, fact.dtype, fact.shape))
    for name in region.outputs:
        _fact(facts, region.scope, name)
    sizes = {name for node in region.original.nodes if _operator(node) in MOVES for name in list(node.input)[1:]}
    for name, tensor in region.original.constants.items():
        dtype = ir.DataType(tensor.data_type)
        if arithmetic.terms and dtype == arithmetic.dtype and (dtype in FLOATS or name not in sizes):
            operands.append(Operand(name, dtype, tuple(tensor.dims)))
    multiplied = {name for node in region.original.nodes if _operator(node) in LINEAR for name in list(node.input)[:2]}
    return sorted(operands, key=lambda operand: operand.name not in multiplied)


def _fact(facts: Facts, scope: str, name: str) -> Fact:
    fact = facts.find(scope, name)
    if fact is None:
        raise InexactError(f"the type or shape of {name!r} isn't known")
    return fact


def _read(cone: Cone) -> set[str]:
    return {*cone.inputs, *cone.constants}


def _model(cone: Cone, region: Region, opened: Opened, facts: Facts, fed: Iterable[Operand]) -> onnx.ModelProto:
    """A cone as a model of its own: `fed` are its inputs, all other constants its initializers."""
    whole = opened.proto
    model = onnx.ModelProto(ir_version=max(whole.ir_version, CONSTANTS_FROM), opset_import=whole.opset_import)
    model.graph.name = "region"
    model.graph.node.extend(cone.nodes)
    inputs = {operand.name: operand for operand in fed}
    for operand in inputs.values():
        info = model.graph.input.add(name=operand.name).type.tensor_type
        info.elem_type = operand.dtype.value
        for size in operand.shape:  # faster than onnx.helper: there may be very many
            info.shape.dim.add(dim_value=size)
        info.shape.SetInParent()
    for name, tensor in cone.constants.items():
        if name not in inputs:
            model.graph.initializer.append(opened.inside(tensor, name))
    for name in region.outputs:
        fact = _fact(facts, region.scope, name)
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, fact.dtype.value, fact.shape))
    inside = (inner for node in cone.nodes for inner in nodes_inside(node))
    called = {node.op_type for node in inside if node.domain == CALL_DOMAIN}
    model.functions.extend(each for name, each in cone.functions.items() if name in called)
    if model.functions and all(each.domain != CALL_DOMAIN for each in model.opset_import):
        model.opset_import.add(domain=CALL_DOMAIN, version=1)
    return model


def _set_factors(model: onnx.ModelProto, node: onnx.NodeProto, factors: Mapping[str, float]) -> None:
    """Let a node of the model have other factors."""
    for each in model.graph.node:
        if factors and list(each.output) == list(node.output):
            for attribute in each.attribute:
                if attribute.name in factors:
                    attribute.f = factors[attribute.name]


def _operator(node: onnx.NodeProto) -> tuple[str, str]:
    return node.domain, node.op_type
