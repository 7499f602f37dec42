"""What is written byte by byte is what protobuf would make of it."""

from __future__ import annotations

import onnx
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.ir.io import protobuf_wire as wire
from onnxtile.ir.metadata import ORIGIN, TILE
from onnxtile.tiling.sinks.protobuf import WireSink

NAMES = st.text(max_size=300)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(
    st.text(min_size=1), st.lists(NAMES), st.lists(NAMES, min_size=1), NAMES, st.text(max_size=9),
    st.dictionaries(st.text(min_size=1), NUMBERS | st.lists(NUMBERS, min_size=1), max_size=2),
)  # fmt: skip
def test_a_node(
    op_type: str, inputs: list[str], outputs: list[str], origin: str, tile: str, attributes: dict[str, int | list[int]]
) -> None:
    sink = WireSink(18, origin)
    sink.node(op_type, inputs, outputs, attributes, tile)
    expected = onnx.GraphProto()
    node = expected.node.add(op_type=op_type, input=inputs, output=outputs, name=outputs[0])
    node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in attributes.items())
    for key, value in [(ORIGIN, origin)] + [(TILE, tile)] * bool(tile):
        node.metadata_props.add(key=key, value=value)
    assert sink.finish(onnx.GraphProto()) == expected
    assert sink.count == 1


@given(st.binary(max_size=40))
def test_a_length_with_room(content: bytes) -> None:
    number = wire.number_of(onnx.TensorProto, "raw_data")
    written = wire.head(number, len(content), wire.ROOM) + content
    assert onnx.TensorProto.FromString(written).raw_data == content
    assert len(wire.varint(wire.LARGEST)) == len(wire.varint(0, wire.ROOM)) == wire.ROOM
