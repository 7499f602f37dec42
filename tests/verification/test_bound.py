"""Both models are run whole, and each value has to lie within what rounding explains."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.verification.bound import Plan, compare
from tests.support import parse

HEAD = '<ir_version: 10, opset_import: ["" : 20]> g (float[4,8] x) => (float[4,6] y) '
WEIGHT = np.random.default_rng(0).standard_normal((8, 6)).astype(np.float32)
ORIGINAL = parse(HEAD + "{ p = MatMul (x, w)  y = Relu (p) }", w=WEIGHT)


def test_another_order_of_summation_is_allowed() -> None:
    found = compare(ORIGINAL, onnxtile.lower(ORIGINAL, (2, 3, 4)), Plan(3, 1, {}), {})
    assert found.equivalent and [layer.name for layer in found.layers] == ["p"]
    assert found.outputs[0].allowed > 0


def test_more_than_rounding_is_not() -> None:
    wrong = parse(HEAD + "{ p = MatMul (x, w)  y = Relu (p) }", w=WEIGHT * np.float32(1.01))
    found = compare(ORIGINAL, wrong, Plan(3, 1, {}), {})
    assert not found.equivalent and not found.layers[0].equivalent


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"z": np.zeros((4, 8), np.float32)}, "input 'z' isn't one of the model's: x"),
        ({"x": np.zeros((4, 8))}, "input 'x' is float64, the model takes FLOAT"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        compare(ORIGINAL, ORIGINAL, Plan(1, 1, inputs), {})
