"""The registry: an operator is declared once, with its work."""

from __future__ import annotations

import pytest

from onnxtile.operators.registry import declare
from onnxtile.operators.table import OPERATORS
from onnxtile.operators.work import NONE


def test_an_operator_is_declared_once() -> None:
    with pytest.raises(AssertionError, match="'MatMul'. is declared twice"):
        declare("MatMul", work=NONE)


def test_work_is_declared_unless_products_cannot_be_sized() -> None:
    with pytest.raises(AssertionError, match="what Newest compute isn't declared"):
        declare("Newest")
    assert ("", "Newest") not in OPERATORS
