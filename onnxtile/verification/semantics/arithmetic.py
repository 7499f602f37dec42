"""Sums, differences and products of elements; between constants they're computed as their type has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from itertools import pairwise

import numpy as np

from onnxtile.verification.field import Field
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.zeros import met
from onnxtile.verification.value import SIZE, Array, Product, UnprovenError, Value, broadcast, spanned

MOST_DEGREES = 1_024
"""Degrees of a polynomial up to which numbers that agree by chance are rare: d / 2^21 in a lane."""
SIZES = frozenset(("Add", "Sub", "Mul", "Div", "Mod", "Neg", "Sign", "Min", "Max", "Abs"))
"""What may be done to sizes of free dimensions."""


DECIDING = frozenset(("Div", "Mod", "Min", "Max"))
"""Of those, what depends on which of two numbers is larger."""
COMPARISONS = frozenset(("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"))


def _quotient(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise UnprovenError("Div by 0")
    quotient = a // b
    return np.asarray(quotient + (((a < 0) != (b < 0)) & (quotient * b != a))).astype(a.dtype)


KNOWN: dict[str, Callable[..., Array]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _quotient, "Neg": np.negative, "Abs": np.abs,
    "Sign": np.sign, "Floor": np.floor, "Ceil": np.ceil, "Sqrt": np.sqrt, "Equal": np.equal, "Less": np.less,
    "Greater": np.greater, "LessOrEqual": np.less_equal, "GreaterOrEqual": np.greater_equal, "And": np.logical_and,
    "Or": np.logical_or, "Not": np.logical_not, "Xor": np.logical_xor, "Where": np.where,
}  # fmt: skip
"""Operators that engines can't but agree on, for constants."""


@operator("Add Sub Mul Div Neg Abs Sign Floor Ceil Sqrt Equal Less Greater LessOrEqual GreaterOrEqual And Or Not Xor")
def _elementwise(call: Call) -> Value:
    return elementwise(call, [call.value(index) for index in range(len(call.inputs))])


@operator("Where")
def _where(call: Call) -> Value:
    condition, one, other = (call.value(index) for index in range(3))
    if condition.known is None or (one.known is not None and other.known is not None):
        return elementwise(call, [condition, one, other])
    from onnxtile.verification.semantics.moves import expanded
    from onnxtile.verification.value import joined

    _look(call, [condition])
    shape = list(np.broadcast_shapes(condition.shape, one.shape, other.shape))
    if condition.known.all() or not condition.known.any():
        return expanded(one if condition.known.all() else other, shape)
    chosen = np.broadcast_to(condition.known, shape)
    return joined([expanded(one, shape), expanded(other, shape)], lambda arrays, _: np.where(chosen, *arrays))


def elementwise(call: Call, values: list[Value], op: str = "") -> Value:
    """An operator of one, two or three inputs, each element by itself."""
    op = op or call.node.op_type
    if len({value.dtype for value in (values[1:] if op == "Where" else values)}) > 1:
        raise UnprovenError(f"{op} of different types")
    try:
        shape = broadcast(*(value.shape for value in values))
    except ValueError as error:
        raise UnprovenError(f"{op} of {[list(value.shape) for value in values]}") from error
    known = [value.known for value in values if value.known is not None]
    if len(known) == len(values):
        _look(call, values, op)
        with np.errstate(all="ignore"):
            array = np.asarray(KNOWN[op](*known))
        if op in SIZES or op in ("Floor", "Ceil", "Sqrt"):
            array = array.astype(known[0].dtype)
        return Value.constant(call.field, array, sized=max(value.sized for value in values))
    if op in ("Add", "Sub"):
        return call.rounded(_sum(call, values[0], values[1], negative=op == "Sub"))
    if op == "Mul":
        return call.rounded(times(call, values[0], values[1]))
    if op == "Neg":
        return _negative(call, values[0])
    if op == "Div" and values[0].dtype.is_floating_point() and divides(values[1]):
        return call.rounded(times(call, values[0], inverse(call, values[1])))
    if op == "Div":
        _may_divide_by_zero(call, values[1])
    return call.run.function(call, values, shape)


def _may_divide_by_zero(call: Call, value: Value) -> None:
    if value.dtype.is_integer() and (value.known is None or not value.known.all()):
        call.run.may_fail("division", value)


def divides(value: Value) -> bool:
    """Return whether it's a constant without zeros: dividing by any other number may be NaN, so it's a function."""
    if value.known is None:
        return False
    numbers = value.known.astype(np.float64)
    return not bool(np.any(~np.isfinite(numbers) | (numbers == 0)))


def inverse(call: Call, value: Value) -> Value:
    """1 / value, exactly: a residue has an inverse."""
    made = Value.computed(value, call.field.inverse(value.lanes))
    low, high = exponents(value)
    made.scale = -high, -low
    return made


def _look(call: Call, values: list[Value], op: str = "") -> None:
    """Remember constants that sizes of free dimensions meet: they say which sizes matter. And what sizes decide."""
    op = op or call.node.op_type
    level = max(value.sized for value in values)
    known = [value.known for value in values if value.known is not None and value.known.dtype.kind in "iuf"]
    if level < SIZE:
        if level and op in (*DECIDING, *COMPARISONS) and len(known) > 1:
            call.run.decide(*(np.floor(one - other) for one, other in pairwise(known)))
        return
    if op not in SIZES or any(value.sized == SIZE and value.dtype.is_floating_point() for value in values):
        call.run.look(op, *values)
        return
    if op in ("Div", "Mod") and values[1].known is not None:
        call.run.divisors.update({0} if values[1].sized == SIZE else map(abs, values[1].whole_numbers(op)))
    for value in values:
        if not value.sized and value.known is not None and value.known.size <= 64:
            call.run.met.update(abs(int(number)) for number in value.known.reshape(-1))
    if op in ("Sign", "Abs"):
        call.run.decide(known[0])
    elif op in DECIDING and len(known) > 1:
        call.run.decide(*(one - other for one, other in pairwise(known)))


def _wide(value: Value, shape: tuple[int, ...], numbers: Array | None = None) -> Array:
    """The value's numbers, or others of its shape, with as many axes as the result has."""
    lanes = value.lanes if numbers is None else numbers
    return lanes.reshape(lanes.shape[0], *[1] * (len(shape) - len(value.shape)), *value.shape)


def _sum(call: Call, a: Value, b: Value, negative: bool = False) -> Value:
    outer = None if negative or a.shape != b.shape else _sum_of_outers(call, a.outer, b.outer)
    shape = broadcast(a.shape, b.shape)
    if outer is None:
        one, other = _wide(a, shape), _wide(b, shape)
        made = Value.computed(a, call.field.add(one, call.field.negative(other) if negative else other))
    else:
        made = Value(call.field, a.dtype, a.shape, outer=outer)
    made.degree, made.scale = max(a.degree, b.degree), spanned(a.scale, b.scale)
    made.finite = a.finite and b.finite
    made.bound = a.largest + b.largest if a.dtype.is_integer() else None
    if a.meets is not None or b.meets is not None:
        one, other = (np.zeros((1,) * (len(shape) + 1)) if term.meets is None else _wide(term, shape, term.meets)
                      for term in (a, b))  # fmt: skip
        made.meets = call.field.add(one, call.field.negative(other) if negative and b.meets is not None else other)
        made.meets = np.broadcast_to(made.meets, (call.field.lanes, *shape))
    return made


def _sum_of_outers(
    call: Call, a: tuple[Array, Array] | None, b: tuple[Array, Array] | None
) -> tuple[Array, Array] | None:
    """The sum of two outer products that have a factor in common; None: they haven't."""
    if a is None or b is None or a[0].shape != b[0].shape or not _is_same_array(a[1], b[1]):
        return None
    return call.field.add(a[0], b[0]), a[1]


def _is_same_array(a: Array, b: Array) -> bool:
    """Return whether two arrays are one, or views of the same numbers in memory."""
    if a is b or a.shape != b.shape or a.strides != b.strides:
        return a is b
    return bool(a.__array_interface__["data"] == b.__array_interface__["data"])


def _negative(call: Call, a: Value) -> Value:
    made = Value.computed(a, call.field.negative(a.lanes))
    made.meets = None if a.meets is None else call.field.negative(a.meets)
    made.bound = a.bound
    return call.rounded(made) if a.dtype.is_integer() else made


def times(call: Call, a: Value, b: Value) -> Value:
    """A * b; what zeros meet is kept. By a constant that isn't finite it's a function: it isn't distributed."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    if not (a.finite and b.finite):
        operands = [a, b] if b.known is not None else [b, a]
        return call.run.function(call, operands, shape, a.dtype, "Mul by what isn't finite")
    made = Value.computed(a, call.field.multiply(_wide(a, shape), _wide(b, shape)))
    made.factor = next((p.factor for p, q in ((a, b), (b, a)) if p.factor is not None and q.known is not None), None)
    multiplied(call, made, a, b, 1)
    if a.dtype.is_floating_point():
        made.met = met(a, b, lambda p, q: _numbers(call.field, p, q, shape))
    return made


def _numbers(field: Field, a: Value, b: Value, shape: tuple[int, ...]) -> Value:
    """The numbers of a product of elements alone."""
    numbers = field.multiply(_wide(a, shape), _wide(b, shape))
    return Value(field, a.dtype, shape, numbers=np.broadcast_to(numbers, (field.lanes, *shape)))


def multiplied(call: Call, made: Value, a: Value, b: Value, terms: int) -> None:
    """Let a sum of products have its degree, its bound, and the exponents of the constants in it."""
    made.bound = terms * a.largest * b.largest if a.dtype.is_integer() else None
    made.degree, made.linear = a.degree + b.degree, frozenset()
    call.run.degree = max(call.run.degree, made.degree)
    if made.degree > MOST_DEGREES:
        raise UnprovenError(f"it's a polynomial of more than {MOST_DEGREES:,} degrees")
    (low, high), (lower, higher) = exponents(a), exponents(b)
    made.scale = low + lower, high + higher
    call.run.reach = spanned(call.run.reach, made.scale)


def exponents(value: Value) -> tuple[float, float]:
    """Return the exponents of 2 that multiplying by a value adds, the smallest and the largest of its elements."""
    if value.known is None or not value.dtype.is_floating_point():
        return value.scale
    sizes = np.abs(value.known.astype(np.float64))
    sizes = sizes[(sizes > 0) & np.isfinite(sizes)]
    return (math.log2(sizes.min()), math.log2(sizes.max())) if sizes.size else (0.0, 0.0)


def _summed_outer(
    call: Call, outer: tuple[Array, Array], over: tuple[int, ...], keepdims: bool
) -> tuple[Array, Array] | None:
    """The sum of an outer product over axes along which one of its factors is the same; None: neither is."""
    for same, other in (outer, outer[::-1]):
        if all(same.shape[axis + 1] == 1 and other.shape[axis + 1] > 1 for axis in over):
            total = call.field.sum(other, over, keepdims)
            return total, same if keepdims else same.squeeze(tuple(axis + 1 for axis in over))
    return None


def _both(waiting: Product, axis: int) -> bool:
    """Return whether both operands of a product have all of an axis."""
    return bool(waiting.a.shape[axis + 1] == waiting.b.shape[axis + 1])


@operator("Sum")
def _sum_of_all(call: Call) -> Value:
    values = [call.value(index) for index in range(len(call.inputs))]
    return reduce(lambda a, b: elementwise(call, [a, b], "Add"), values)


@operator("Mod", attributes="fmod")
def _mod(call: Call) -> Value:
    a, b = call.value(0), call.value(1)
    if a.known is None or b.known is None:
        _may_divide_by_zero(call, b)
        return call.run.function(call, [a, b], np.broadcast_shapes(a.shape, b.shape))
    _look(call, [a, b])
    if a.known.dtype.kind in "iu" and not b.known.all():
        raise UnprovenError("Mod by 0")
    rest = np.fmod(a.known, b.known) if call.attributes.get("fmod") else np.mod(a.known, b.known)
    return Value.constant(call.field, np.asarray(rest), sized=max(a.sized, b.sized))


@operator("Min Max")
def _extreme(call: Call) -> Value:
    values = [call.value(index) for index in range(len(call.inputs))]
    if any(value.known is None for value in values):
        return call.run.function(call, values, np.broadcast_shapes(*(value.shape for value in values)))
    _look(call, values)
    pick: Callable[[Array, Array], Array] = np.minimum if call.node.op_type == "Min" else np.maximum
    array = reduce(pick, [np.asarray(value.known) for value in values])
    return Value.constant(call.field, np.asarray(array), sized=max(value.sized for value in values))


REDUCED: dict[str, Callable[..., Array]] = {
    "ReduceSum": np.sum, "ReduceProd": np.prod, "ReduceMax": np.max, "ReduceMin": np.min,
}  # fmt: skip
WRAPS = ("ReduceSum", "ReduceProd")
"""Those that are exact of whole numbers alone; the others pick one of their numbers."""


def _is_sure(known: Array, op_type: str) -> bool:
    """Return whether all engines reduce a constant to the same: sums of floats are rounded in any order."""
    if op_type in WRAPS:
        return known.dtype.kind in "iu"
    return known.size > 0 and not np.isnan(known.astype(np.float64)).any()


@operator("ReduceSum ReduceProd ReduceMax ReduceMin", "number axis", "axes keepdims noop_with_empty_axes")
def _reduce(call: Call) -> Value:
    value, axes = call.value(0), call.whole(1, "axes")
    op_type, rank, keepdims = call.node.op_type, len(value.shape), bool(call.attributes.get("keepdims", 1))
    if not axes and call.attributes.get("noop_with_empty_axes"):
        return value
    over = tuple(sorted({axis % rank for axis in axes})) if axes else tuple(range(rank))
    if axes and any(not -rank <= axis < rank for axis in axes):
        raise UnprovenError(f"{op_type} over axes {axes} of a value of {rank}")
    exact = op_type in WRAPS and value.known is not None and value.known.dtype.kind in "iu"
    if value.known is not None and value.sized == SIZE and not exact:
        call.run.look(op_type, value)
    if value.known is not None and _is_sure(value.known, op_type):
        total = np.asarray(REDUCED[op_type](value.known, axis=over, keepdims=keepdims)).astype(value.known.dtype)
        return Value.constant(call.field, total, value.dtype, value.sized)
    if op_type != "ReduceSum":
        return call.run.opaque(call)
    waiting = value.product
    if waiting is not None and len(over) == 1 and over[0] < rank - 2 and _both(waiting, over[0]):
        numbers = waiting.summed(call.field, over[0])
        made = Value.computed(value, np.expand_dims(numbers, over[0] + 1) if keepdims else numbers)
    else:
        made = summed(call, value, over, keepdims)
    made.degree, made.scale, made.finite = value.degree, value.scale, value.finite
    if value.dtype.is_integer():
        made.bound = value.largest * math.prod(value.shape[axis] for axis in over)
    made.met = tuple(summed(call, term, over, keepdims) for term in value.met)
    return call.rounded(made)


def summed(call: Call, value: Value, over: tuple[int, ...], keepdims: bool) -> Value:
    """The sum of a value's numbers over axes."""
    outer = None if value.outer is None else _summed_outer(call, value.outer, over, keepdims)
    if outer is None:
        return Value.computed(value, call.field.sum(value.lanes, over, keepdims))
    sizes = [1 if axis in over else size for axis, size in enumerate(value.shape) if keepdims or axis not in over]
    return Value(call.field, value.dtype, tuple(sizes), outer=outer)
