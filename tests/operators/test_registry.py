"""The registry: an operator is declared once, with its work."""

from __future__ import annotations

import pytest

from onnxtile.operators.registry import declare
from onnxtile.operators.table import OPERATORS
from onnxtile.operators.work import NONE


def test_an_operator_is_declared_once() -> None:
    with pytest.raises(ValueError, match="MatMul of domain ai.onnx is declared already"):
        declare("MatMul", work=NONE)


def test_work_is_declared_unless_products_cannot_be_sized() -> None:
    with pytest.raises(ValueError, match="what Newest compute isn't declared"):
        declare("Newest")
    assert ("", "Newest") not in OPERATORS


@pytest.mark.parametrize(
    ("operator", "index", "role"),
    [
        (("", "Clip"), 1, "setting"),
        (("", "BatchNormalization"), 3, "statistics"),
        (("", "QLinearConv"), 3, "data"),
        (("", "QLinearConv"), 4, "quantization"),
        (("com.microsoft", "QLinearConcat"), 1, "quantization"),
        (("com.microsoft", "QLinearConcat"), 2, "data"),
        (("com.microsoft", "QLinearConcat"), 7, "quantization"),
        (("", "Conv"), 2, "data"),
        (("com.microsoft", "MatMulNBits"), 1, "data"),
        (("com.microsoft", "MatMulNBits"), 2, "quantization"),
    ],
)
def test_what_an_input_is(operator: tuple[str, str], index: int, role: str) -> None:
    assert OPERATORS[operator].role(index) == role
