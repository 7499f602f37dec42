"""Rules of our own: what holds in every run, and the reason for what doesn't."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.operators.contractions import contractions
from onnxtile.passes.infer_shapes import InferShapes
from tests.passes.shape_inference.test_infer import HEAD, found
from tests.support import parse

INTS = {
    "zero": [0],
    "one": [1],
    "two": [2],
    "three": [3],
    "last": [-1],
    "end": [2**63 - 1],
    "reach": [-(2**63) + 1],
    "rows": [0, -1, 9],
    "t": [-1, 9],
}


CONSTANTS: dict[str, np.ndarray] = {
    **{name: np.array(numbers, np.int64) for name, numbers in INTS.items()},
    "odd": np.array([1, 1, 0.7, 0.5], np.float32),
    "double": np.array([1, 1, 2, 0.5], np.float32),
}


HOLD = {
    "rest of a free batch": ("float[B,3,2,9] x", "y = Reshape (x, rows)", "[B,6,9]"),
    "rest behind Shape": (
        "float[B,9,4,4] x",
        "d = Shape <start=0, end=1> (x) s = Concat <axis=0> (d, t) y = Reshape (x, s)",
        "[B,16,9]",
    ),
    "last window in the padding": (
        "float[1,1,N,7] x",
        "y = MaxPool <kernel_shape=[1,3], strides=[2,3], ceil_mode=1> (x)",
        "[1,1,floor(N/2 + 1/2),3]",
    ),
    "the same size twice": ("float[N,4] x, float[N,1] z", "y = Add (x, z)", "[N,4]"),
    "two sizes": ("float[N,4] x, float[M,1] z", "y = Add (x, z)", "[None,4]"),
    "a size and a number": ("float[N,4] x, float[5,1] z", "y = Add (x, z)", "[5,4]"),
    "a size and what is 1 with it": (
        "float[N,4] x, float[64,1] t",
        "n = Shape <end=1> (x) u = Slice (t, zero, n, zero) y = Add (x, u)",
        "[N,4]",
    ),
    "amounts of padding that operators make of constants": (
        "float[1,N] x",
        "c = Concat <axis=0> (one, two, three, zero) p = Slice (c, last, reach, zero, last) y = Pad (x, p)",
        "[3,N + 4]",
    ),
    "an axis of Unique": ("float[N,4] x", "y = Unique <axis=0> (x)", "[None,4]"),
    "scales that round": ("float[1,1,N,10] x", "y = Resize (x, , odd)", "[1,1,None,5]"),
    "scales that double": ("float[1,1,N,M] x", "y = Resize (x, , double)", "[1,1,2*N,floor(M/2)]"),
    "a choice between shapes": (
        "float[1,N] x, float[M,N] z",
        """d = Shape (z) o = ConstantOfShape <value: tensor = int64[1] {1}> (two)
           e = Equal (d, last) s = Where (e, o, d) y = Expand (x, s)""",
        "[M,N]",
    ),
    "half of the elements": (
        "float[N,6] x",
        "d = Shape <start=1> (x) h = Div (d, two) s = Concat <axis=0> (last, h) y = Reshape (x, s)",
        "[2*N,3]",
    ),
    "rows of a matrix of numbers": (
        "float[B,3,4] x, float[1] z",
        "d = Shape (x) u = Unsqueeze (d, zero) g = Gather (u, zero) r = Squeeze (g, zero) y = Expand (z, r)",
        "[None,None,None]",
    ),
}
"""By what it is: inputs, nodes, and what holds of `y`."""


@pytest.mark.parametrize("name", HOLD)
def test_what_holds_in_every_run(name: str) -> None:
    inputs, nodes, shape = HOLD[name]
    fed = {value.split("]")[1].strip() for value in inputs.split(", ")}
    constants = {name: array for name, array in CONSTANTS.items() if name not in fed}
    assert str(found(f"g ({inputs}) => (float y) {{ {nodes} }}", **constants)["y"].shape) == shape


AXES = "Squeeze 'a' drops each axis of length 1, and which these are is only known at run time"


UNKNOWN = {
    "Split": (
        "float[12,9] x, int64[2] n",
        "a, b = Split <axis=0> (x, n)",
        "the lengths of Split 'a' are only known at run time",
    ),
    "Squeeze": (
        "float[1,6,1,9] x, int64[1] n",
        "a = Squeeze (x, n)",
        "the axes of Squeeze 'a' are only known at run time",
    ),
    "Squeeze of what is 1": ("float[B,6,1,9] x", "a = Squeeze (x)", AXES),
    "Reshape": (
        "float[6,9] x, int64[2] n",
        "a = Reshape (x, n)",
        "the shape that Reshape 'a' makes is only known at run time",
    ),
    "through others": (
        "float[12,9] x, int64[2] n",
        "c, b = Split <axis=0> (x, n) r = Relu (c) a = Neg (r)",
        "the lengths of Split 'c' are only known at run time",
    ),
}
"""By the operator that decides: inputs, how a product's operand `a` comes about, and the reason."""


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_only_a_run_tells_has_its_reason(name: str) -> None:
    inputs, nodes, reason = UNKNOWN[name]
    text = f"{HEAD} g ({inputs}) => (float y) {{ {nodes} y = MatMul (a, w) }}"
    model = parse(text, w=np.ones((9, 10), np.float32))
    typed = ir.from_proto(model)
    InferShapes()(typed)
    (product,) = contractions(typed)
    assert reason in (product.unknown_axis_because, (product.reason or "").split(": ", 1)[-1])
    (row,) = onnxtile.check(model, (4, 16, 16)).contractions
    assert row.status == "unknown"
    assert reason in str(row.reason)
    assert reason in str(onnxtile.profile(model).nodes[-1].macs)
