"""Weights that are drawn as outer products are never squared."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.verification.field import Field
from onnxtile.verification.linearity import NonlinearError, note
from onnxtile.verification.semantics.entry import OPERATORS
from onnxtile.verification.value import Value
from tests.verification.semantics.test_entry import call_of

FIELD = Field(1)


def value(*weights: str) -> Value:
    return Value(FIELD, ir.DataType.FLOAT, (2, 2), linear=frozenset(weights))


@pytest.mark.parametrize(
    ("op_type", "weights", "wanted"),
    [
        ("Add", [("w",), ("w",)], {"w"}),
        ("Add", [("w",), ("v",)], {"w", "v"}),
        ("MatMul", [(), ("w",)], {"w"}),
        ("MatMul", [("v",), ("w",)], {"v", "w"}),
        ("Relu", [("w",)], set()),
    ],
)
def test_results_know_their_weights(op_type: str, weights: list[tuple[str, ...]], wanted: set[str]) -> None:
    result = value()
    note(call_of(op_type, *(value(*names) for names in weights)), OPERATORS["", op_type], [result])
    assert result.linear == wanted


@pytest.mark.parametrize("op_type", ["MatMul", "Mul"])
def test_a_weight_times_itself_is_refused(op_type: str) -> None:
    with pytest.raises(NonlinearError, match=op_type):
        note(call_of(op_type, value("w", "v"), value("w")), OPERATORS["", op_type], [value()])


def test_an_operator_that_is_in_neither_table_is_refused() -> None:
    with pytest.raises(NonlinearError, match="Abs"):
        note(call_of("Abs", value("w")), OPERATORS["", "Abs"], [value()])
