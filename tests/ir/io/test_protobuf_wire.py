"""Test that what is written byte by byte is what protobuf would make of it."""

from __future__ import annotations

import onnx
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.ir.io import protobuf_wire as wire


@given(st.binary(max_size=40))
def test_a_length_with_room(content: bytes) -> None:
    number = wire.number_of(onnx.TensorProto, "raw_data")
    written = wire.head(number, len(content), wire.ROOM) + content
    assert onnx.TensorProto.FromString(written).raw_data == content
    assert len(wire.varint(wire.LARGEST)) == len(wire.varint(0, wire.ROOM)) == wire.ROOM


@given(st.lists(st.integers(0, 2**63)))
def test_fields_are_found_again(numbers: list[int]) -> None:
    model = onnx.TensorProto(int64_data=[number - 2**62 for number in numbers if number < 2**63], name="n")
    data = model.SerializeToString()
    found = list(wire.runs(data, 0, len(data), 0))
    assert {number for number, _, _ in found} == {field.number for field, _ in model.ListFields()}
    assert b"".join(data[start:stop] for _, start, stop in found) == data
    for number, start, stop in found:
        if number == wire.number_of(onnx.TensorProto, "name"):
            assert data[wire.inside(data, start) : stop] == b"n"
