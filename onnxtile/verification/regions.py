"""Judge one rewritten region: both sides on the same numbers of a field, at several sizes of what is free."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import ml_dtypes
import numpy as np
import onnx_ir as ir

from onnxtile.operators.table import PRODUCTS
from onnxtile.verification import lengths
from onnxtile.verification.difference import difference
from onnxtile.verification.evaluator import Evaluator, Names
from onnxtile.verification.facts import Facts
from onnxtile.verification.field import Field, holds
from onnxtile.verification.graphs import name_of, names_inside, nodes_inside
from onnxtile.verification.linearity import NonlinearError
from onnxtile.verification.marks import marked, types_named
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Cone, Region
from onnxtile.verification.slices import Trace
from onnxtile.verification.suspects import suspects
from onnxtile.verification.value import TooLargeError, UnprovenError, Value
from onnxtile.verification.weights import Weights, weights_of

MOST_NAMED = 2_000
"""Nodes that a verdict names."""
MOST_NUMBERS, MOST_TRIED = 1 << 28, 1 << 24
"""Elements of an input up to which a region is evaluated; the second at sizes that may as well be others."""
DEGREES = 20
"""Up to which degree three lanes of 21 bits agree by chance less often than in one of 2^50 proofs; beyond: six."""
MOST_SCALED, MOST_SCALED_IN_FLOAT16 = 8, 2
"""Exponents of 2 by which constants may multiply numbers on their way more than the original does, or less."""


@dataclass
class Finding:
    """Hold what evaluating a region came to.

    `unproven`: why the original can't be evaluated. `different`: what differs, `where`: at which nodes. `elements`: how
    many were compared. `drawn`: it's so for any numbers in the place of large weights. `met`: whole numbers that sizes
    met. `decisions`: what sizes decide. `divisors`: by what they're divided, if the original doesn't. `doubtful`: types
    that round something, and that don't hold the numbers of all types that the original adds and multiplies in; whether
    it does so in them too. `exact_scales`: see Evaluator. `too_large`: the original takes too much memory;
    `lowered_too_large`: the lowered side does, and in what. `limits`: M, K, N of the largest product of the lowered
    side. `safe_majorant`: see RegionVerdict. `lengths`: those that were tried, by the names of inputs. `degree`:
    the largest of a polynomial. `functions`: operators that the proof doesn't look into, where values differ: those of
    one side alone, or all.
    """

    unproven: str | None = None
    different: str | None = None
    functions: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    elements: int = 0
    met: set[int] = field(default_factory=set)
    drawn: bool = False
    decisions: dict[object, int] = field(default_factory=dict)
    divisors: set[int] = field(default_factory=set)
    doubtful: dict[ir.DataType, bool] = field(default_factory=dict)
    exact_scales: bool = False
    too_large: bool = False
    lowered_too_large: str | None = None
    products: int = 0
    degree: int = 0
    limits: tuple[int, int, int] = (0, 0, 0)
    safe_majorant: float | None = None
    lengths: tuple[dict[str, int], ...] = ()


@dataclass(frozen=True)
class Judge:
    """Hold what all regions of two models have in common."""

    original: Opened
    lowered: Opened
    seed: int
    deadline: float = math.inf
    _weights: dict[int, tuple[Region, Weights]] = field(default_factory=dict)

    def at(self, region: Region, facts: Facts) -> Finding:
        """Evaluate both sides at the sizes of `facts`, and at all lengths that inputs may tell."""
        return lengths.first_apart(region, facts, self._surely)

    def _surely(self, region: Region, facts: Facts) -> Finding:
        """Evaluate both sides, and polynomials of high degrees on other numbers, too."""
        found = self._read(region, facts)
        if found.degree <= DEGREES or found.different or found.unproven:
            return found
        again = replace(self, seed=self.seed + 1)._read(region, facts)
        return again if again.different else found

    def _read(self, region: Region, facts: Facts) -> Finding:
        """Evaluate both sides by each reading.

        It's enough that they're the same by one reading: with constants that both read drawn as inputs are; as they
        are; or with those that are dequantized not rounded, as integer engines have them.
        """
        weights, plain = self.weights(region), Weights()
        try:
            found = self._at(region, facts, weights)
            found.drawn = True
        except NonlinearError:
            found = self._at(region, facts, plain)
        if found.different and weights.drawn:
            found = self._at(region, facts, plain)
        if found.different and any(node.op_type == "DequantizeLinear" for node in region.original.nodes):
            exact = self._at(region, facts, plain, exact_scales=True)
            found = found if exact.different else exact
        if found.different:
            return self._at(region, facts, plain, locate=True)
        return self._strictly(region, facts, found, weights if found.drawn else plain) if found.doubtful else found

    def _strictly(self, region: Region, facts: Facts, found: Finding, weights: Weights) -> Finding:
        """Evaluate once more where numbers are rounded by types that the original computes in wider ones than.

        A type that it casts to alone may round nothing besides; one that it computes in too may round parts of sums.
        """
        again = partial(self._at, region, facts, weights, found.exact_scales)
        only_cast = frozenset(dtype for dtype, is_summed in found.doubtful.items() if not is_summed)
        if again(strict=only_cast).different:
            return again(strict=only_cast, locate=True)
        if again(strict=frozenset(found.doubtful)).different:
            types = " and ".join(dtype.name for dtype in found.doubtful)
            found.unproven = f"numbers are rounded by {types} in another place, and it isn't known if parts of its sums"
        return found

    def weights(self, region: Region) -> Weights:
        """Return what is drawn of a region's constants."""
        if id(region) not in self._weights:
            self._weights[id(region)] = region, weights_of(region, self.original, self.lowered)
        return self._weights[id(region)][1]

    def idle(self, scope: str, cone: Cone, facts: Facts) -> Finding:
        """Evaluate nodes that bear on nothing: they have to run."""
        finding = Finding()
        field = Field(self.seed)
        evaluator = self._evaluator(self.lowered, field, facts, None)
        try:
            names = self._names(cone, self.lowered, field, self._inputs(scope, cone.inputs, facts, field), {})
            evaluator.run(cone.nodes, names)
            if evaluator.risky:
                raise UnprovenError(f"{evaluator.risky[0][0]} may fail by what numbers are")
        except UnprovenError as error:
            finding.different = f"it bears on nothing, and whether it runs can't be told: {error}"
            finding.where = _at(evaluator, cone)
        return finding

    def _at(
        self,
        region: Region,
        facts: Facts,
        weights: Weights,
        exact_scales: bool = False,
        locate: bool = False,
        strict: frozenset[ir.DataType] = frozenset(),
        types: frozenset[ir.DataType] = frozenset(),
    ) -> Finding:
        """`locate`: name the nodes that a difference comes from. `strict`: see Field. `types`: values have these."""
        marks = self._marks(region, facts, types)
        finding, number_field = Finding(exact_scales=exact_scales), Field(self.seed, marks, strict)
        ours = self._evaluator(self.original, number_field, facts, _written_out(region), exact_scales)
        theirs = self._evaluator(self.lowered, number_field, facts, exact_scales=exact_scales)
        try:
            inputs = self._inputs(region.scope, region.inputs, facts, number_field)
            drawn, cut = weights.values(region, number_field)
            wanted = self._names(region.original, self.original, number_field, inputs, drawn)
            ours.run(region.original.nodes, wanted)
            outputs = [_output(wanted, name) for name in region.outputs]
        except UnprovenError as error:
            finding.unproven, finding.too_large = str(error), isinstance(error, TooLargeError)
            return finding
        finding.met = ours.met
        try:
            same = {name: wanted[name] for name in region.same if name in wanted}
            got = self._names(region.lowered, self.lowered, number_field, inputs, same | cut)
            theirs.run(region.lowered.nodes, got, region.lowered.said)
            results = [_output(got, name) for name in region.outputs]
        except TooLargeError as error:
            finding.unproven = finding.lowered_too_large = str(error)
            return finding
        except UnprovenError as error:
            finding.different, finding.where = str(error), _at(theirs, region.lowered)
            return finding
        seen = types | ours.types | theirs.types
        if self._marks(region, facts, seen) != marks:
            return self._at(region, facts, weights, exact_scales, locate, strict, seen)
        finding.doubtful = {
            dtype: dtype in ours.summed for dtype in sorted((theirs.summed | theirs.narrowed) & set(marks))
            if not all(holds(dtype, other) for other in ours.summed)
        }  # fmt: skip
        finding.met |= theirs.met
        finding.decisions = {**ours.decisions, **theirs.decisions}
        finding.divisors = theirs.divisors | ours.divisors if theirs.divisors - ours.divisors else set()
        looks = [op_type for op_type, sees in theirs.looks if (op_type, sees) not in ours.looks]
        if looks:
            finding.different = f"{looks[0]} decides something by a size, which the original doesn't"
            finding.where = _named(region.lowered, looks[0])
            return finding
        if theirs.coarse and not ours.coarse:
            finding.different = "MatMulNBits may compute in bytes, which the original doesn't"
            finding.where = _named(region.lowered, "MatMulNBits")
            return finding
        apart = max(ours.reach[0] - theirs.reach[0], theirs.reach[1] - ours.reach[1])
        apart = max(apart, theirs.peak - ours.peak) if ours.products else apart
        few = ir.DataType.FLOAT16 in theirs.summed | {result.dtype for result in results}
        if apart > (MOST_SCALED_IN_FLOAT16 if few else MOST_SCALED):
            finding.different = f"constants multiply numbers by 2^{apart:.0f} more than in the original, and back"
            finding.where = _all(region.lowered)
            return finding
        finding.products, finding.degree = len(theirs.products), max(ours.degree, theirs.degree)
        finding.safe_majorant = _safe_majorant(ours, theirs)
        finding.limits = tuple(max((p[axis] for p in theirs.products), default=0) for axis in range(3))  # type: ignore[assignment]
        for name, one, other in zip(region.outputs, outputs, results, strict=True):
            unlike = difference(one, other)
            if unlike is not None and unlike.lane == 0:
                finding.functions = _functions(ours.functions, theirs.functions)
            if unlike is not None and not locate:
                finding.different = unlike.words
                return finding
            if unlike is not None:
                opset = {opset.domain: opset.version for opset in self.lowered.proto.opset_import}.get("", 0)
                ours.made = []
                ours.run(region.original.nodes, dict(wanted))
                trace = Trace(region.original.nodes, wanted, region.lowered.nodes, got, theirs, opset, ours.made)
                finding.different = f"{name!r} {unlike.words}"
                finding.where = tuple(suspects(trace, name, unlike.wrong, unlike.lane))[:MOST_NAMED]
                return finding
            finding.elements += math.prod(one.shape)
        ours_may_fail = np.concatenate([states for _, states in ours.risky] or [np.zeros(0, np.uint64)])
        risky = [name for name, states in theirs.risky if not np.isin(states, ours_may_fail).all()]
        if risky:
            finding.different = f"{risky[0]} may fail by what numbers are, which the original doesn't"
            finding.where = _named(region.lowered, risky[0].split()[0])
        return finding

    def _marks(self, region: Region, facts: Facts, seen: Iterable[ir.DataType]) -> list[ir.DataType]:
        """Return types that have marks, as far as it can be told before it's evaluated, and of values seen then."""
        types = set(seen)
        for cone, opened in ((region.original, self.original), (region.lowered, self.lowered)):
            types.update(ir.DataType(constant.data_type) for constant in cone.constants.values())
            types.update(types_named(cone.nodes, opened.proto))
        known = (facts.find(region.scope, name) for name in region.inputs)
        types.update(fact.dtype for fact in known if fact is not None)
        return marked(types)

    def _evaluator(
        self,
        opened: Opened,
        number_field: Field,
        facts: Facts,
        refused: frozenset[tuple[str, str]] | None = frozenset(),
        exact_scales: bool = False,
    ) -> Evaluator:
        """`refused`: operators that have to be on the list; None: all."""
        functions = {
            (function.domain, function.name, function.overload): function for function in opened.proto.functions
        }
        opsets = {opset.domain: opset.version for opset in opened.proto.opset_import}
        return Evaluator(
            number_field, functions, opsets, opened.array, facts.free, self.deadline, refused, exact_scales,
            opened is self.original,
        )  # fmt: skip

    def _inputs(self, scope: str, names: Sequence[str], facts: Facts, number_field: Field) -> dict[str, Value]:
        made: dict[str, Value] = {}
        for name in names:
            fact = facts.find(scope, name)
            if fact is None:
                raise UnprovenError(f"the type or shape of {name!r} isn't known")
            if math.prod(fact.shape) > (MOST_TRIED if facts.free else MOST_NUMBERS):
                raise TooLargeError(f"{name!r} has {math.prod(fact.shape):,} elements")
            made[name] = Value(number_field, fact.dtype, fact.shape)
            if name in facts.lengths:
                made[name] = lengths.value(number_field, fact, facts.lengths[name])
        return made

    def _names(
        self, cone: Cone, opened: Opened, number_field: Field, inputs: Mapping[str, Value], same: Mapping[str, Value]
    ) -> Names:
        if cone.missing:
            raise UnprovenError(f"{cone.missing[0]!r} is read but made by nobody")
        names: dict[str, Value] = dict(inputs)
        for name, tensor in cone.constants.items():
            if name in same:
                names[name] = same[name]
            elif name not in names:
                names[name] = Value.constant(number_field, opened.array(tensor), ir.DataType(tensor.data_type))
        return names


def _safe_majorant(ours: Evaluator, theirs: Evaluator) -> float | None:
    """Return the largest number of the narrowest type of partial products, where the lowered side cuts K."""
    longest = [max((k for _, k, _ in evaluator.products), default=0) for evaluator in (ours, theirs)]
    floats = [
        float(ml_dtypes.finfo(dtype.numpy()).max)  # type: ignore[no-untyped-call]
        for dtype in theirs.multiplied
        if dtype.is_floating_point()
    ]
    return min(floats) if longest[1] < longest[0] and floats else None


def _functions(ours: Mapping[str, str], theirs: Mapping[str, str]) -> tuple[str, ...]:
    """Return the operators of functions that only one side has; where both have the same, of all."""
    one_sided = ours.items() ^ theirs.items()
    return tuple(sorted({op_type for _, op_type in one_sided or ours.items()}))


def _output(names: Names, name: str) -> Value:
    if name not in names:
        raise UnprovenError(f"{name!r} is made by nobody")
    return names[name]


def _at(evaluator: Evaluator, cone: Cone) -> tuple[str, ...]:
    """The node that couldn't be evaluated first, then the others."""
    first = () if evaluator.at is None else tuple(names_inside(evaluator.at))
    return tuple(dict.fromkeys([*first, *_all(cone)]))


def _all(cone: Cone) -> tuple[str, ...]:
    """All nodes, the last first."""
    return tuple(name for node in reversed(cone.nodes) for name in names_inside(node))[:MOST_NAMED]


def _named(cone: Cone, op_type: str) -> tuple[str, ...]:
    inside = (inner for node in cone.nodes for inner in nodes_inside(node))
    return tuple(name_of(node) for node in inside if node.op_type == op_type) or _all(cone)


def _written_out(region: Region) -> frozenset[tuple[str, str]]:
    """Operators that hold products, and that the lowered side has written out."""
    ours, theirs = (
        {(inner.domain, inner.op_type) for node in cone.nodes for inner in nodes_inside(node)}
        for cone in (region.original, region.lowered)
    )
    return frozenset(name for name in ours - theirs if name in PRODUCTS)
