"""Arithmetic on sizes gives the numbers that come out at run time."""

from __future__ import annotations

import pytest

from tests.passes.shape_inference.test_infer import found

INPUT = "float[N,6] x, float[1] z"
PREFIX = """d = Shape (x)  i0 = Constant <value_int = 0> ()  i1 = Constant <value_int = 1> ()
   n = Gather (d, i0)  w = Gather (d, i1)  two = Constant <value_int = 2> ()  a = Constant <value_ints = [0]> ()"""
EXPANDED = "v = Unsqueeze (s, a)  y = Expand (z, v)"
SIZES = {
    "a quotient of numbers": ("s = Div (w, two)", "[3]"),
    "a quotient of a formula that is whole": ("m = Mul (n, two)  s = Div (m, two)", "[N]"),
    "a quotient of a formula": ("s = Div (n, two)", "[floor(N/2)]"),
    "a product": ("s = Mul (n, w)", "[6*N]"),
    "a size in another type": ("f = Cast <to = 6> (n)  s = Cast <to = 7> (f)", "[N]"),
    "a size in a type that may not hold it": ("f = Cast <to = 3> (n)  s = Cast <to = 7> (f)", "[None]"),
    "elements of a shape": ("s = ReduceProd <keepdims = 0> (d)", "[6*N]"),
    "a choice that is known": ("e = Equal (w, two)  s = Where (e, two, w)", "[6]"),
    "a choice that is not": ("e = Equal (n, two)  s = Where (e, two, w)", "[None]"),
    "the sign of a number": ("s = Sign (w)", "[1]"),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_that_are_computed(name: str) -> None:
    nodes, shape = SIZES[name]
    assert str(found(f"g ({INPUT}) => (float y) {{ {PREFIX} {nodes} {EXPANDED} }}")["y"].shape) == shape


def test_a_shape_filled_with_one_number() -> None:
    nodes = (
        "s = ConstantOfShape <value = int64[1] {3}> (two1)  y = Expand (z, s)  two1 = Constant <value_ints = [2]> ()"
    )
    first, second, third = nodes.split("  ")
    assert str(found(f"g ({INPUT}) => (float y) {{ {third} {first} {second} }}")["y"].shape) == "[3,3]"
