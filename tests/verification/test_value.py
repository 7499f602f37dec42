"""Test that what is known of a value follows its elements."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.verification.field import Field
from onnxtile.verification.value import UnprovenError, Value, broadcast, joined, narrow

FIELD = Field(3)
FLOAT = ir.DataType.FLOAT


def constant(*numbers: float) -> Value:
    return Value.constant(FIELD, np.array(numbers, np.float32))


def test_a_weight_is_an_outer_product() -> None:
    weight = Value.weight(FIELD, FLOAT, (3, 4), "w")
    assert weight.linear == {"w"} and weight.lanes.shape == (FIELD.lanes, 3, 4)
    minors = weight.lanes[0, 0, 0] * weight.lanes[0, 1, 1] - weight.lanes[0, 0, 1] * weight.lanes[0, 1, 0]
    assert minors % FIELD.primes[0] == 0


@pytest.mark.parametrize("outer", [True, False])
def test_moved_elements_are_the_same_numbers(outer: bool) -> None:
    value = Value.weight(FIELD, FLOAT, (3, 4), "w") if outer else Value(FIELD, FLOAT, (3, 4))
    numbers = value.lanes.copy()
    turned = Value.weight(FIELD, FLOAT, (3, 4), "w") if outer else value
    turned = value.moved(lambda array, _: array.swapaxes(-1, -2))
    assert turned.shape == (4, 3)
    assert FIELD.equal(turned.lanes, numbers.swapaxes(-1, -2)).all()


def test_zeros_are_where_the_number_is_zero() -> None:
    zeros = constant(0, 1, -0.0).zeros
    assert zeros is not None and zeros.tolist() == [True, False, True]
    assert constant(1, 2).zeros is None
    assert Value.constant(FIELD, np.array([0, 1])).zeros is None


def test_what_is_known_of_all_stays_known_when_joined() -> None:
    both = joined([constant(1), constant(2)], lambda arrays, lead: np.concatenate(arrays, lead))
    assert both.known is not None and both.known.tolist() == [1, 2]
    mixed = joined([constant(1), Value(FIELD, FLOAT, (2,))], lambda arrays, lead: np.concatenate(arrays, lead))
    assert mixed.known is None and mixed.shape == (3,)
    assert FIELD.equal(mixed.lanes[:, :1], constant(1).lanes).all()


def test_whole_numbers_have_to_be_known() -> None:
    assert Value.constant(FIELD, np.array([3, 4])).whole_numbers("axes") == [3, 4]
    with pytest.raises(UnprovenError, match="axes isn't known"):
        Value(FIELD, ir.DataType.INT64, (2,)).whole_numbers("axes")


def test_complex_numbers_are_not_evaluated() -> None:
    with pytest.raises(UnprovenError, match="complex numbers"):
        _ = Value.constant(FIELD, np.array([1j], np.complex64)).lanes


def test_axes_of_one_element_stand_for_all() -> None:
    assert narrow(np.broadcast_to(np.zeros((3, 1)), (3, 5))).shape == (3, 1)
    assert broadcast((2, 1), (3,)) == (2, 3)
    with pytest.raises(ValueError, match="broadcast"):
        broadcast((2,), (3,))
