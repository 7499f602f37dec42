"""How much slices leave: in every run, of axes of any length."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from tests.passes.shape_inference.test_infer import found

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
