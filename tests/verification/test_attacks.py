"""Wrong models made to look right: none is called equivalent."""

from __future__ import annotations

import numpy as np
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

import onnxtile
from onnxtile.errors import ModelError
from tests.faults import run
from tests.faults.attacks import ATTACKS, Attack, model
from tests.support import OLD_ONNXRUNTIME


def named(attack: Attack) -> str:
    return attack.title.replace(" ", "-")


def wrong(attack: Attack) -> bool:
    """Return whether the input shows it in onnxruntime."""
    one, other = attack.models
    (wanted, *_) = run(one, attack.shows)
    try:
        (got, *_) = run(other, attack.shows)
    except onnxruntime_errors.InvalidArgument:
        return True
    return not np.allclose(wanted, got, rtol=1e-3, atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_an_attack_is_one(attack: Attack) -> None:
    assert wrong(attack) or (OLD_ONNXRUNTIME and "overload" in attack.title)  # it takes any function of that name


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_no_attack_is_believed(attack: Attack) -> None:
    try:
        assert not onnxtile.verify(*attack.models).equivalent
    except ModelError:
        return  # refused before it's judged


@pytest.mark.parametrize("method", ["exact", "bound"])
@pytest.mark.parametrize(
    "body",
    [
        "t = MatMul (x, w)  y = Round (t)",
        "t = MatMul (x, w)  y = Clip (t, lo, hi)",
        "t = MatMul (x, w)  y = Mul (t, c)",
    ],
)
def test_long_sums_hide_nothing(body: str, method: str) -> None:
    """The bound of 4,096 terms is wide: the proof is made with it."""
    head = "(float[1,4096] x) => (float[1,4] y) {"
    w = np.random.default_rng(0).standard_normal((4096, 4)).astype(np.float32)
    more = {"lo": np.float32(-400), "hi": np.float32(400), "c": np.float32(1.005)}
    original = model(head + "y = MatMul (x, w) }", w=w)
    constants = {name: value for name, value in more.items() if name in body}
    assert not onnxtile.verify(original, model(head + body + "}", w=w, **constants), method=method).equivalent
