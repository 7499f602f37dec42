"""Test that what onnx says of operators' types and shapes is held against what they get."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.verification.field import Field
from onnxtile.verification.semantics.schemas import check_types, inferred, since
from onnxtile.verification.value import UnprovenError, Value
from tests.verification.semantics.test_entry import call_of

FLOAT, HALF, INT = (
    Value(Field(1), dtype, (2, 3)) for dtype in (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.INT64)
)


def test_types_that_an_operator_takes_pass() -> None:
    check_types("", "Add", 20, [FLOAT, FLOAT])
    check_types("", "Where", 20, [Value(Field(1), ir.DataType.BOOL, (2, 3)), INT, INT])
    check_types("elsewhere", "Add", 1, [FLOAT, HALF])


@pytest.mark.parametrize(
    ("op_type", "values", "words"),
    [
        ("Add", [FLOAT, HALF], "Add of different types"),
        ("Sigmoid", [INT], "input 0 of Sigmoid is INT64, which it doesn't take"),
        ("Relu", [FLOAT, FLOAT], "Relu takes 1 inputs, not 2"),
    ],
)
def test_other_types_are_refused(op_type: str, values: list[Value], words: str) -> None:
    with pytest.raises(UnprovenError, match=words):
        check_types("", op_type, 20, values)


def test_the_shape_that_onnx_infers_is_taken() -> None:
    assert inferred(call_of("Transpose", FLOAT)) == [(ir.DataType.FLOAT, (3, 2))]
    with pytest.raises(UnprovenError, match="what shape it gives isn't known"):
        inferred(call_of("NonZero", FLOAT))


def test_the_version_that_brought_an_operator_is_told() -> None:
    assert since(call_of("Softmax", FLOAT)) == 13
    assert since(call_of("Nonesuch", FLOAT)) == 20
