"""Test how much slices leave: in every run, of axes of any length."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
import sympy

import onnxtile
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.shape_inference.slices import _is_within
from tests.passes.shape_inference.test_infer import found
from tests.support import parse

INTS = {"zero": [0], "one": [1], "two": [2], "three": [3], "last": [-1], "end": [2**63 - 1], "reach": [-(2**63) + 1]}
HOLD = {
    "every other of all but the first": (
        "float[2,N] x",
        "y = Slice (x, one, end, one, two)",
        "[2,floor(N/2)]",
    ),
    "slices behind each other": (
        "float[2,N] x",
        "z = Slice (x, one, last, one, two) y = Slice (z, two, end, one, three)",
        "[2,Max(0, floor(floor(N/2 - 1/2)/3))]",
    ),
    "as much as there is": ("float[2,N] x", "y = Slice (x, zero, three, one)", "[2,Min(3, N)]"),
    "backwards from in front of the first": (
        "float[2,3] x",
        "y = Slice (x, reach, reach, one, last)",
        "[2,1]",
    ),
    "the last one, if there is one": ("float[2,N] x", "y = Slice (x, last, end, one)", "[2,None]"),
    "axes read at run time": ("float[8,9] x, int64[1] a", "y = Slice (x, one, three, a)", "[None,None]"),
}
"""By what it is: inputs, nodes, and what holds of `y`."""


@pytest.mark.parametrize("name", HOLD)
def test_what_holds_in_every_run(name: str) -> None:
    inputs, nodes, shape = HOLD[name]
    constants = {name: np.array(numbers, np.int64) for name, numbers in INTS.items()}
    assert str(found(f"g ({inputs}) => (float y) {{ {nodes} }}", **constants)["y"].shape) == shape


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("end", [2**63 - 1, -1, -2])
@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_slice_of_a_slice_leaves_as_much_as_at_run_time(start: int, end: int, step: int) -> None:
    """Of every length, those that are too short included; the second slice is of what may be less than nothing."""
    numbers = {"start": start, "end": end, "step": step}
    constants = {name: np.array([number], np.int64) for name, number in {**numbers, "axis": 0}.items()}
    text = "g (float[N] x) => (float y) { z = Slice (x, start, end, axis, step) y = Slice (z, start, end, axis, step) }"
    shape = found(text, **constants)["y"].shape
    assert shape is not None
    (left,) = shape
    for length in range(12):
        wanted = len(range(length)[start:end:step][start:end:step])
        assert isinstance(left, ir.SymbolicDim) and left.evaluate({"N": length}) == wanted


def test_rows_that_were_padded_to_whole_tiles_are_as_many_as_before() -> None:
    """After every product: a formula that held the padded rows would be twice as long after each."""
    nodes = "a = MatMul (x, w) b = MatMul (a, w) y = MatMul (b, w)"
    model = parse(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[N,3] x) => (float[N,3] y) {{ {nodes} }}',
        w=np.ones((3, 3), np.float32),
    )
    typed = ir.from_proto(onnxtile.lower(model, (16, 2, 2), form="loop"))
    for value in (*typed.graph.outputs, *(output for node in typed.graph for output in node.outputs)):
        value.shape = None
    InferShapes()(typed)
    assert str(typed.graph.outputs[0].shape) == "[N,3]"


@pytest.mark.parametrize(
    ("place", "size", "holds"),
    [
        ("N", "16*floor(N/16 + 15/16)", True),
        ("N", "16*floor(N/16 + 7/8)", False),
        ("N", "16*floor(N/16 + 15/16) - 16*floor(N/1099511627776 + 1099511627775/1099511627776) + 16", True),
        ("N", "16*floor(N/16 + 15/16) - 15*floor(N/3) + 16", False),
        ("N*M", "3*floor(M*N/3 + 2/3) + 2", True),
        ("N + 1", "N", False),
    ],
)
def test_a_place_is_within_a_size_only_where_it_is_in_every_run(place: str, size: str, holds: bool) -> None:
    symbols = {name: sympy.Symbol(name, integer=True, nonnegative=True) for name in "NM"}
    least, most = (sympy.sympify(text, symbols) for text in (place, size))
    assert _is_within(least, most) == holds
    for n in range(40):
        numbers = {symbols["N"]: n, symbols["M"]: 3}
        assert not holds or least.subs(numbers) <= most.subs(numbers)
