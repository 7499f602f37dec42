"""Formulas of elements are those of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.operators.measures import X  # noqa: E402  # the same
from onnxtile.operators.reduction import softmax  # noqa: E402  # the same
from tests.torch_support import Call, profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


def test_formulas_are_those_of_onnx() -> None:
    import onnx_ir as ir

    value = ir.Value(name="x", shape=ir.Shape([3, 4]), type=ir.TensorType(ir.DataType.FLOAT))
    node = ir.Node("", "Softmax", [value])
    assert softmax(12, 3).at(node, 18) == softmax(X, X * 0 + 3).at(node, 18)


@pytest.mark.parametrize(
    ("function", "elementwise", "transcendental", "comparison"),
    [
        (lambda x: torch.add(x, x, alpha=2), 24, 0, 0),
        (lambda x: x**3, 24, 0, 0),
        (lambda x: x**0.5, 0, 12, 0),
        (lambda x: x.clamp(0, 1), 0, 0, 24),
        (lambda x: x.sum(0), 8, 0, 0),
        (lambda x: x.mean(0), 12, 0, 0),
        (lambda x: x.amax(0), 0, 0, 8),
        (lambda x: x.norm(dim=0), 20, 4, 0),
    ],
)
def test_operations_by_hand(
    function: Callable[..., Any], elementwise: int, transcendental: int, comparison: int
) -> None:
    totals = profile_torch(Call(function), (some(3, 4),)).totals
    counted = (totals.elementwise, totals.transcendental, totals.comparison)
    assert counted == (elementwise, transcendental, comparison)
