"""Sums, differences and products of elements; between constants they're computed as their type has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.value import Array, Product, UnprovenError, Value, broadcast

SIZES = frozenset(("Add", "Sub", "Mul", "Div", "Mod", "Neg", "Sign", "Min", "Max", "Abs"))
"""What may be done to sizes of free dimensions."""


def _quotient(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise UnprovenError("Div by 0")
    quotient = np.abs(a) // np.abs(b)
    return np.asarray(np.where((a < 0) != (b < 0), -quotient, quotient)).astype(a.dtype)


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
    chosen = np.broadcast_to(condition.known, shape)
    return joined([expanded(one, shape), expanded(other, shape)], lambda arrays, _: np.where(chosen, *arrays))


def elementwise(call: Call, values: list[Value], op: str = "") -> Value:
    """An operator of one, two or three inputs, each element by itself."""
    op = op or call.node.op_type
    if len({each.dtype for each in (values[1:] if op == "Where" else values)}) > 1:
        raise UnprovenError(f"{op} of different types")
    try:
        shape = broadcast(*(each.shape for each in values))
    except ValueError as error:
        raise UnprovenError(f"{op} of {[list(each.shape) for each in values]}") from error
    known = [each.known for each in values if each.known is not None]
    if len(known) == len(values):
        _look(call, values)
        with np.errstate(all="ignore"):
            array = np.asarray(KNOWN[op](*known))
        if op in SIZES or op in ("Floor", "Ceil", "Sqrt"):
            array = array.astype(known[0].dtype)
        return Value.constant(call.field, array, sized=any(each.sized for each in values))
    if op in ("Add", "Sub"):
        return call.rounded(_sum(call, values[0], values[1], negative=op == "Sub"))
    if op == "Mul":
        return call.rounded(times(call, values[0], values[1]))
    if op == "Neg":
        return _negative(call, values[0])
    if op == "Div" and values[0].dtype.is_floating_point() and divides(values[1]):
        return call.rounded(times(call, values[0], inverse(call, values[1])))
    return call.run.function(call, values, shape)


def divides(value: Value) -> bool:
    """Whether it's a constant without zeros: dividing by any other number may be NaN, so it's a function."""
    if value.known is None:
        return False
    numbers = value.known.astype(np.float64)
    return not bool(np.any(~np.isfinite(numbers) | (numbers == 0)))


def inverse(call: Call, value: Value) -> Value:
    """1 / value, exactly: a residue has an inverse."""
    return Value.computed(value, call.field.inverse(value.lanes))


def _look(call: Call, values: list[Value]) -> None:
    """Remember constants that sizes of free dimensions meet: they say which sizes matter."""
    if any(each.sized for each in values):
        if call.node.op_type not in SIZES:
            call.run.looks.append(call.node.op_type)
        for each in values:
            if not each.sized and each.known is not None and each.known.size <= 64:
                call.run.met.update(abs(int(number)) for number in each.known.reshape(-1))


def _wide(value: Value, shape: tuple[int, ...]) -> Array:
    """The value's numbers with as many axes as the result has."""
    lanes = value.lanes
    return lanes.reshape(lanes.shape[0], *[1] * (len(shape) - len(value.shape)), *value.shape)


def _sum(call: Call, a: Value, b: Value, negative: bool = False) -> Value:
    outer = None if negative or a.shape != b.shape else _sum_of_outers(call, a.outer, b.outer)
    if outer is None:
        shape = np.broadcast_shapes(a.shape, b.shape)
        one, other = _wide(a, shape), _wide(b, shape)
        made = Value.computed(
            a, call.field.add(one, call.field.negative(other, not a.dtype.is_floating_point()) if negative else other)
        )
    else:
        made = Value(call.field, a.dtype, a.shape, outer=outer)
    if a.zeros is not None and b.zeros is not None:
        zero = a.zeros & b.zeros
        made.zero = zero if zero.any() else None
    if a.meets is not None or b.meets is not None:
        sign = -1.0 if negative else 1.0
        made.meets = residues(call, _meets(a) + sign * _meets(b))
    return made


def _sum_of_outers(
    call: Call, a: tuple[Array, Array] | None, b: tuple[Array, Array] | None
) -> tuple[Array, Array] | None:
    """The sum of two outer products that have a factor in common; None: they haven't."""
    if a is None or b is None or a[0].shape != b[0].shape or a[1] is not b[1]:
        return None
    return call.field.add(a[0], b[0]), a[1]


def _meets(value: Value) -> Array:
    return np.zeros(value.shape) if value.meets is None else value.meets


def residues(call: Call, numbers: Array) -> Array:
    """Numbers of lane 0, reduced."""
    prime = call.field.primes[0]
    return np.asarray(numbers - np.rint(numbers / prime) * prime)


def _negative(call: Call, a: Value) -> Value:
    made = Value.computed(a, call.field.negative(a.lanes, not a.dtype.is_floating_point()))
    made.zero, made.meets = a.zeros, None if a.meets is None else -a.meets
    return made


def times(call: Call, a: Value, b: Value) -> Value:
    """A * b; where one is a constant 0, what it meets is kept."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    made = Value.computed(a, call.field.multiply(_wide(a, shape), _wide(b, shape)))
    if not a.dtype.is_floating_point():
        return made
    for one, other in ((a, b), (b, a)):
        if one.zeros is not None:
            made.meets = _more(call, made.meets, one.zeros * other.lanes[0])
            zero = np.broadcast_to(one.zeros, shape)
            made.zero = zero if made.zero is None else made.zero | zero
        if one.meets is not None:
            made.meets = _more(call, made.meets, one.meets * other.lanes[0])
    return made


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
    """Whether both operands of a product have all of an axis."""
    return bool(waiting.a.shape[axis + 1] == waiting.b.shape[axis + 1])


def _more(call: Call, meets: Array | None, more: Array) -> Array:
    return residues(call, more if meets is None else meets + residues(call, more))


@operator("Sum")
def _sum_of_all(call: Call) -> Value:
    values = [call.value(index) for index in range(len(call.inputs))]
    return reduce(lambda a, b: elementwise(call, [a, b], "Add"), values)


@operator("Mod", attributes="fmod")
def _mod(call: Call) -> Value:
    a, b = call.value(0), call.value(1)
    if a.known is None or b.known is None:
        return call.run.function(call, [a, b], np.broadcast_shapes(a.shape, b.shape))
    _look(call, [a, b])
    if a.known.dtype.kind in "iu" and not b.known.all():
        raise UnprovenError("Mod by 0")
    rest = np.fmod(a.known, b.known) if call.attributes.get("fmod") else np.mod(a.known, b.known)
    return Value.constant(call.field, np.asarray(rest), sized=a.sized or b.sized)


@operator("Min Max")
def _extreme(call: Call) -> Value:
    values = [call.value(index) for index in range(len(call.inputs))]
    if any(each.known is None for each in values):
        return call.run.function(call, values, np.broadcast_shapes(*(each.shape for each in values)))
    _look(call, values)
    pick: Callable[[Array, Array], Array] = np.minimum if call.node.op_type == "Min" else np.maximum
    array = reduce(pick, [np.asarray(each.known) for each in values])
    return Value.constant(call.field, np.asarray(array), sized=any(each.sized for each in values))


@operator("ReduceSum ReduceProd", "number axis", "axes keepdims noop_with_empty_axes")
def _reduce(call: Call) -> Value:
    value, axes = call.value(0), call.whole(1, "axes")
    rank, keepdims = len(value.shape), bool(call.attributes.get("keepdims", 1))
    if not axes and call.attributes.get("noop_with_empty_axes"):
        return value
    over = tuple(sorted({axis % rank for axis in axes})) if axes else tuple(range(rank))
    if axes and any(not -rank <= axis < rank for axis in axes):
        raise UnprovenError(f"{call.node.op_type} over axes {axes} of a value of {rank}")
    if value.known is not None and value.known.dtype.kind in "iu":
        total = (np.sum if call.node.op_type == "ReduceSum" else np.prod)(
            value.known, axis=over, dtype=value.known.dtype, keepdims=keepdims
        )
        return Value.constant(call.field, np.asarray(total), sized=value.sized)
    if call.node.op_type == "ReduceProd":
        return call.run.opaque(call)
    waiting = value.product
    outer = None if value.outer is None else _summed_outer(call, value.outer, over, keepdims)
    if waiting is not None and len(over) == 1 and over[0] < rank - 2 and _both(waiting, over[0]):
        numbers = waiting.summed(call.field, over[0])
        numbers = np.expand_dims(numbers, over[0] + 1) if keepdims else numbers
    elif outer is None:
        numbers = call.field.sum(value.lanes, over, keepdims)
    if outer is None:
        made = Value.computed(value, numbers)
    else:
        sizes = [1 if axis in over else size for axis, size in enumerate(value.shape) if keepdims or axis not in over]
        made = Value(call.field, value.dtype, tuple(sizes), outer=outer)
    if value.zeros is not None:
        zero = np.asarray(value.zeros.all(over, keepdims=keepdims))
        made.zero = zero if zero.any() else None
    if value.meets is not None:
        made.meets = residues(call, value.meets.sum(over, keepdims=keepdims))
    return call.rounded(made)
