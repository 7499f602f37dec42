"""Inputs: given ones are checked, others are random, free dimensions get sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import ModelError, UsageError
from onnxtile.ir.io.interop import to_ir
from onnxtile.verification.inputs import feeds
from tests.debugging.capture.test_capture import F32, HEAD, mlp
from tests.support import parse, run_onnxruntime, whole


def test_random_inputs_are_those_of_verify() -> None:
    model = mlp()
    want = feeds(to_ir(model), "normal", np.random.default_rng(5))
    found = onnxtile.capture(model, name="fc2", seed=5)
    np.testing.assert_array_equal(found["y"], run_onnxruntime(model, want, optimize=False)[0])
    assert found.report.inputs.to_json() == {"source": "random", "seed": 5, "sizes": {}, "made_up": []}


FREE = parse(
    f"""{HEAD} g (float[n,k] x, float[k,n] z, float[m] c) => (float[n,n] y, float[m] d) {{
        [p] y = MatMul (x, z)  [q] d = Neg (c) }}"""
)


def test_sizes_of_free_dimensions() -> None:
    found = onnxtile.capture(FREE, name="p", bind={"n": 3})
    assert (found["y"].shape, found.report.inputs.sizes) == ((3, 3), {"n": 3, "k": 2, "m": 2})
    assert found.report.inputs.made_up == ("k", "m")
    x = {"x": np.ones((3, 7), F32), "z": np.ones((7, 3), F32), "c": np.ones(1, F32)}
    given_ones = onnxtile.capture(FREE, name="*", inputs=x)
    assert (given_ones["y"] == 7).all()
    assert given_ones.report.inputs.to_json() == {
        "source": "given", "seed": None, "sizes": {"n": 3, "k": 7, "m": 1}, "made_up": [],
    }  # fmt: skip


GOOD = {"x": np.ones((3, 7), F32), "z": np.ones((7, 3), F32), "c": np.ones(1, F32)}


BAD_INPUTS: dict[str, dict[str, Any]] = {
    "input 'c' is missing: give all of x, z, c, or none for random ones": {"x": GOOD["x"], "z": GOOD["z"]},
    "input 'q' isn't one of the model's: its inputs are x, z, c": {**GOOD, "q": GOOD["x"]},
    "input 'x' is float64, the model takes float32": {**GOOD, "x": np.ones((3, 7))},
    "input 'x' is 3 x 7 x 1, the model takes 3 x 7": {**GOOD, "x": np.ones((3, 7, 1), F32)},
    "input 'c' is a number without axes, the model takes m": {**GOOD, "c": np.float32(1)},
    "the inputs' shapes contradict: k is 7 in 'x' and 8 in 'z'": {**GOOD, "z": np.ones((8, 3), F32)},
    "inputs is a list: give arrays by name, such as {'x': array}": [1],  # type: ignore[dict-item]  # that's the point
}


@pytest.mark.parametrize("words", BAD_INPUTS)
def test_inputs_that_are_refused(words: str) -> None:
    with pytest.raises(UsageError) as raised:
        onnxtile.capture(FREE, name="p", inputs=BAD_INPUTS[words])
    assert str(raised.value) == words


def test_inputs_that_contradict_what_is_bound() -> None:
    with pytest.raises(UsageError, match=r"^input 'x' is 3 x 7, the model takes 4 x 7$"):
        onnxtile.capture(FREE, name="p", inputs=GOOD, bind={"n": 4})
    with pytest.raises(UsageError, match="dimension 'batch' isn't a free dimension of the model"):
        onnxtile.capture(FREE, name="p", bind={"batch": 4})


def test_a_default_may_be_left_out_or_given() -> None:
    model = parse(f"{HEAD} g (float[2] x, float[2] w) => (float[2] y) {{ [a] y = Add (x, w)  [n] z = Neg (x) }}")
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2], F32), "w"))
    x = np.zeros(2, F32)
    np.testing.assert_array_equal(onnxtile.capture(model, name="a", inputs={"x": x})["y"], [1, 2])
    np.testing.assert_array_equal(onnxtile.capture(model, name="a", inputs={"x": x, "w": x + 5})["y"], [5, 5])
    assert list(onnxtile.capture(model, name="n")) == ["z"]


def test_made_up_sizes_are_told_where_they_contradict() -> None:
    model = parse(
        f"{HEAD} g (float[n,3] x) => (float[7,3] y) {{ y = Concat <axis = 0> (x, x, v) }}", v=whole([1, 3], F32, 1)
    )
    with pytest.raises(ModelError, match=r"contradict: .*; that is with n taken as 2: bind other sizes \(--bind\)"):
        onnxtile.capture(model, name="*")
    assert list(onnxtile.capture(model, name="*", bind={"n": 3})) == ["y"]
