"""Operators of ai.onnx.ml: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.operators.nodes import rows_of, sizes, unknown_reason
from tests.support import node_model


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("TreeEnsembleRegressor", [[1, 4]], [[1, 1]], {"domain": "ai.onnx.ml"}, "comparison", "depends on the data"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)


def test_linear_models_multiply_by_their_attributes() -> None:
    def sized(op: str, **attributes: Any) -> tuple[Any, ...]:
        (row,) = rows_of(node_model(op, [["rows", 4]], [2], domain="ai.onnx.ml", **attributes))
        return sizes(row)

    assert sized("LinearRegressor", coefficients=[1.0] * 12, targets=3) == ("rows", 4, 3, 1)
    assert sized("SVMRegressor", coefficients=[1.0] * 5, support_vectors=[1.0] * 20, n_supports=5) == ("rows", 4, 5, 1)
    assert sized("SVMRegressor", coefficients=[1.0] * 4) == ("rows", 4, 1, 1)
