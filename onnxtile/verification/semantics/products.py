"""Matrix products: exact sums of exact products."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from onnxtile.verification.field import Field
from onnxtile.verification.semantics.arithmetic import elementwise, inverse, multiplied, summed, times
from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.moves import expanded, reshaped
from onnxtile.verification.semantics.zeros import met
from onnxtile.verification.value import SIZE, Array, Product, TooLargeError, UnprovenError, Value, broadcast

MOST_TRIED = 1 << 25
"""Elements of a product up to which it's evaluated at sizes that may as well be others."""
LARGE = 1 << 21
"""Elements of products of tiles that wait for their sum."""


@operator("MatMul")
def _matmul(call: Call) -> Value:
    return product(call, call.value(0), call.value(1))


def product(call: Call, a: Value, b: Value) -> Value:
    """A @ B as numpy.matmul has it."""
    if not a.shape or not b.shape or a.dtype != b.dtype:
        raise UnprovenError(f"{call.node.op_type} of {list(a.shape)} and {list(b.shape)}, {a.dtype} and {b.dtype}")
    vectors = len(a.shape) == 1, len(b.shape) == 1
    a = reshaped(a, [1, *a.shape]) if vectors[0] else a
    b = reshaped(b, [*b.shape, 1]) if vectors[1] else b
    if a.shape[-1] != b.shape[-2]:
        raise UnprovenError(f"{call.node.op_type} of {list(a.shape)} and {list(b.shape)}")
    if any(operand.known is not None and operand.sized == SIZE for operand in (a, b)):
        call.run.look(call.node.op_type, a, b)
    call.run.products.append((a.shape[-2], a.shape[-1], b.shape[-1]))
    call.run.multiplied.add(a.dtype)
    rank = max(len(a.shape), len(b.shape))
    try:
        front = broadcast(a.shape[:-2], b.shape[:-2])
    except ValueError as error:
        raise UnprovenError(f"{call.node.op_type} of {list(a.shape)} and {list(b.shape)}") from error
    shape = (*front, a.shape[-2], b.shape[-1])
    outer = _outer(call.field, a, b, rank + 1)
    if call.run.free and math.prod(shape) > MOST_TRIED:
        raise TooLargeError(f"{call.node.op_type} gives {math.prod(shape):,} elements")
    operands = [] if outer else [_ranked(operand.lanes, rank + 1) for operand in (a, b)]
    if outer is not None:
        made = Value(call.field, a.dtype, shape, outer=outer)
    elif math.prod(shape) >= LARGE and front:
        made = Value(call.field, a.dtype, shape, product=Product(operands[0], operands[1], (a.dtype,)))
    else:
        made = Value.computed(a, call.field.matmul(*operands))
    multiplied(call, made, a, b, a.shape[-1])
    if made.product is not None and not made.wraps:
        made.product = replace(made.product, rounded=())
    if a.dtype.is_floating_point():
        call.run.peak = max(call.run.peak, made.scale[1])
        if not (a.finite and b.finite):
            raise UnprovenError(f"{call.node.op_type} by a constant that isn't finite")
        made.met = met(a, b, lambda p, q: _numbers(call.field, p, q, shape))
    if a.factor is not None and b.factor is not None and call.run.is_original:
        made.factor = (*a.factor, *b.factor)
    if any(vectors):
        left, right = made.shape[-2:]
        made = reshaped(made, [*made.shape[:-2], *([] if vectors[0] else [left]), *([] if vectors[1] else [right])])
    return call.rounded(made)


def _outer(field: Field, a: Value, b: Value, rank: int) -> tuple[Array, Array] | None:
    """The product as an outer one, where an operand is: A @ (u v^T) = (A @ u) v^T."""
    for value in (a, b):
        u, v = (None, None) if value.outer is None else (_ranked(factor, rank) for factor in value.outer)
        if u is None or v is None:
            continue
        if u.shape[-2] == 1 and v.shape[-1] == 1:
            u, v = v, u
        if u.shape[-1] == 1 and v.shape[-2] == 1:
            if value is b and u.shape[-2] == b.shape[-2]:
                return field.matmul(_ranked(a.lanes, rank), u), v
            if value is a and v.shape[-1] == a.shape[-1]:
                return u, field.matmul(v, _ranked(b.lanes, rank))
    return None


def _numbers(field: Field, a: Value, b: Value, shape: tuple[int, ...]) -> Value:
    """The numbers of a product alone."""
    rank = len(shape) + 1
    outer = _outer(field, a, b, rank)
    if outer is not None:
        return Value(field, a.dtype, shape, outer=outer)
    return Value(field, a.dtype, shape, numbers=field.matmul(_ranked(a.lanes, rank), _ranked(b.lanes, rank)))


def _ranked(lanes: Array, rank: int) -> Array:
    if lanes.ndim == rank:
        return lanes
    return lanes.reshape(lanes.shape[0], *[1] * (rank - lanes.ndim), *lanes.shape[1:])


def swapped(value: Value) -> Value:
    """The value with its last two axes in each other's place."""
    return value.moved(lambda array, _: array.swapaxes(-1, -2))


@operator("Gemm", attributes="alpha beta transA transB")
def _gemm(call: Call) -> Value:
    a, b = (_swapped_with_scale(call.value(i)) if call.attributes.get(f"trans{'AB'[i]}") else call.value(i)
            for i in range(2))  # fmt: skip
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise UnprovenError("Gemm of what isn't matrices")
    return scaled(call, a, b, call.optional(2))


def _swapped_with_scale(value: Value) -> Value:
    """The matrix transposed; so is the scale that its numbers are dequantized by."""
    made = swapped(value)
    if value.factor is not None and len(value.factor) == 1:
        (scale,) = value.factor
        if len(scale.shape) == 1 and math.prod(scale.shape) > 1:
            scale = reshaped(scale, [*scale.shape, 1])
        made.factor = (swapped(scale) if len(scale.shape) == 2 and len(value.factor[0].shape) == 2 else scale,)
    return made


def in_units_of(
    call: Call, bias: Value, own: tuple[Value, ...] | None, factor: tuple[Value, ...] | None
) -> Value:  # fmt: skip
    """A bias whose scale is the rounded product of the factors' scales, as integer engines have it: times these.

    `own`: its scale, so that it broadcasts over the sum; `factor`: those of the operands.
    """
    if not call.run.exact_scales or own is None or factor is None or (len(own), len(factor)) != (1, 2):
        return bias
    (scale,), (a, b) = own, factor
    if any(each.known is None for each in (a, b, scale)):
        return bias
    rounded = np.asarray(a.known * b.known)  # type: ignore[operator]  # they're known
    if not np.array_equal(*np.broadcast_arrays(rounded, scale.known)):  # type: ignore[arg-type]  # they're known
        return bias
    made = times(call, times(call, bias, inverse(call, scale)), times(call, a, b))
    made.met, made.bound = (), bias.bound  # all of it is constant
    return made


def scaled(call: Call, a: Value, b: Value, c: Value | None) -> Value:
    """Alpha * A @ B + beta * C; the factors are rounded to the type first."""
    alpha, beta = (_factor(call, name, a.dtype) for name in ("alpha", "beta"))
    y = product(call, a, b)
    if alpha is not None:
        y = call.rounded(times(call, y, alpha))
    if c is None or (beta is not None and beta.known is not None and not beta.known.any()):
        return y
    c = c if beta is None else elementwise(call, [c, beta], "Mul")
    if np.broadcast_shapes(c.shape, y.shape) != y.shape:
        raise UnprovenError(f"{call.node.op_type} adds {list(c.shape)} to {list(y.shape)}")
    factor = y.factor
    y = elementwise(call, [y, in_units_of(call, c, c.factor, factor)], "Add")
    y.factor = factor
    return y


def _factor(call: Call, name: str, dtype: ir.DataType) -> Value | None:
    """An attribute as a number; None: it's 1."""
    factor = float(call.attributes.get(name, 1.0))
    if dtype.is_integer() and not factor.is_integer():
        raise UnprovenError(f"{call.node.op_type} of whole numbers has {name} {factor:g}")
    return None if factor == 1 else Value.constant(call.field, np.array(factor, dtype.numpy()), dtype)


@operator("MatMulInteger")
def _matmul_integer(call: Call) -> Value:
    return integer_product(call, call.value(0), call.value(1), call.optional(2), call.optional(3))


def integer_product(call: Call, a: Value, b: Value, a_zero: Value | None, b_zero: Value | None) -> Value:
    """(A - zA) @ (B - zB) in int32; a zero point for all, a row of A, or a column of B."""
    a, b = (_wide(call, operand) for operand in (a, b))
    if a_zero is not None:
        rows = reshaped(a_zero, [*a_zero.shape, 1]) if len(a_zero.shape) == 1 and a_zero.shape != (1,) else a_zero
        a = elementwise(call, [a, cast(call, rows, ir.DataType.INT32)], "Sub")
    if b_zero is not None:
        b = elementwise(call, [b, cast(call, b_zero, ir.DataType.INT32)], "Sub")
    return product(call, a, b)


def _wide(call: Call, value: Value) -> Value:
    """The value in int32; that of a constant is made once, however often a loop multiplies by it."""
    if value.known is None:
        return cast(call, value, ir.DataType.INT32)
    if id(value) not in call.run.wide:
        call.run.wide[id(value)] = value, cast(call, value, ir.DataType.INT32)
    return call.run.wide[id(value)][1]


@operator("FusedMatMul TransposeMatMul", attributes="alpha transA transB transBatchA transBatchB",
          domain="com.microsoft")  # fmt: skip
def _fused_matmul(call: Call) -> Value:
    return fused_product(call)


def fused_product(call: Call) -> Value:
    """Axes are turned as onnxruntime's matmul_helper.h has it: transBatch first, then trans; a vector stays."""
    operands = []
    for index, side in enumerate("AB"):
        value = call.value(index)
        if len(value.shape) > 1 and call.attributes.get(f"transBatch{side}"):
            value = value.moved(lambda array, lead: np.moveaxis(array, lead, -2))
        operands.append(swapped(value) if len(value.shape) > 1 and call.attributes.get(f"trans{side}") else value)
    return scaled(call, operands[0], operands[1], None)


@operator("Einsum", attributes="equation")
def _einsum(call: Call) -> Value:
    """Operands from left to right; a letter that none that's left needs is summed at once."""
    values = [call.value(index) for index in range(len(call.inputs))]
    terms, result = _terms(call.attributes["equation"].decode(), values)
    acc, letters = _diagonal(values[0], terms[0])
    if len(values) == 1:
        acc, letters = _summed(call, acc, letters, set(result))
    for index in range(1, len(values)):
        other, own = _diagonal(values[index], terms[index])
        needed = set(result).union(*terms[index + 1 :])
        acc, letters = _summed(call, acc, letters, needed | set(own))
        other, own = _summed(call, other, own, needed | set(letters))
        acc, letters = _contracted(call, (acc, letters), (other, own), needed)
    return _arranged(acc, letters, list(result))


def _terms(equation: str, values: list[Value]) -> tuple[list[list[str]], list[str]]:
    """The letters of each operand's axes and of the result's; those of ellipses are numbers, counted from the end."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms, dots = [], 0
    for term, value in zip(left.split(","), values, strict=True):
        front, ellipsis, back = term.partition("...")
        own = len(value.shape) - len(front) - len(back) if ellipsis else 0
        dots = max(dots, own)
        terms.append([*front, *map(str, range(-own, 0)), *back])
        if len(terms[-1]) != len(value.shape):
            raise UnprovenError(f"Einsum {equation!r} of a value of {len(value.shape)} axes")
    named = [str(number) for number in range(-dots, 0)]
    if not arrow:
        counts = Counter(letter for term in terms for letter in term)
        return terms, [*named, *sorted(letter for letter, count in counts.items() if count == 1 and letter.isalpha())]
    front, ellipsis, back = right.partition("...")
    return terms, [*front, *(named if ellipsis else []), *back]


def _diagonal(value: Value, letters: list[str]) -> tuple[Value, list[str]]:
    own = list(dict.fromkeys(letters))
    if len(own) == len(letters):
        return value, letters
    places = [own.index(letter) for letter in letters]

    def diagonal(array: Array, lead: int) -> Array:
        front = list(range(len(own), len(own) + lead))
        return np.asarray(np.einsum(array, [*front, *places], [*front, *range(len(own))]))

    return value.moved(diagonal), own


def _summed(call: Call, value: Value, letters: list[str], needed: set[str]) -> tuple[Value, list[str]]:
    axes = tuple(axis for axis, letter in enumerate(letters) if letter not in needed)
    if not axes:
        return value, letters
    made = Value.computed(value, call.field.sum(value.lanes, axes, keepdims=False))
    made.met = tuple(summed(call, term, axes, keepdims=False) for term in value.met)
    return call.rounded(made), [letter for letter in letters if letter in needed]


def _contracted(
    call: Call, one: tuple[Value, list[str]], other: tuple[Value, list[str]], needed: set[str]
) -> tuple[Value, list[str]]:
    (a, left), (b, right) = one, other
    sizes = dict(zip(left, a.shape, strict=True))
    for letter, size in zip(right, b.shape, strict=True):
        sizes[letter] = size if sizes.get(letter, 1) == 1 else sizes[letter]
        if size not in (1, sizes[letter]):
            raise UnprovenError(f"Einsum has {size} and {sizes[letter]} for one letter")
    batch = [letter for letter in left if letter in right and letter in needed]
    k = [letter for letter in left if letter in right and letter not in needed]
    m, n = ([letter for letter in own if letter not in batch + k] for own in (left, right))
    a = _grouped(a, left, [batch, m, k], sizes)
    b = _grouped(b, right, [batch, k, n], sizes)
    made = product(call, a, b)
    return reshaped(made, [sizes[letter] for letter in batch + m + n]), batch + m + n


def _grouped(value: Value, letters: list[str], groups: list[list[str]], sizes: dict[str, int]) -> Value:
    """The value with an axis for each letter of the first group, and one for each other group."""
    wanted = [letter for group in groups for letter in group]
    value = expanded(_arranged(value, letters, wanted), [sizes[letter] for letter in wanted])
    ends = [math.prod(sizes[letter] for letter in group) for group in groups[1:]]
    return reshaped(value, [*(sizes[letter] for letter in groups[0]), *ends])


def _arranged(value: Value, letters: list[str], wanted: list[str]) -> Value:
    """The value with its axes in another order."""
    if set(letters) != set(wanted):
        raise UnprovenError("Einsum gives letters that no operand has")
    perm = [letters.index(letter) for letter in wanted]
    return value.moved(lambda array, lead: array.transpose(*range(lead), *(axis + lead for axis in perm)))
