"""A sink that writes bytes writes what protobuf would make of the same nodes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

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


def test_an_alias_is_written_where_its_value_is() -> None:
    sink = WireSink(18, "fc")
    sink.alias("fc/C", "y")
    sink.node("MatMul", ["a", "b"], ["fc/C"])
    (node,) = sink.finish(onnx.GraphProto()).node
    assert (node.name, list(node.output)) == ("fc/C", ["y"])


def test_tiles_that_are_cut_again_name_both_boxes() -> None:
    sink = WireSink(18, "fc").serve("first", "m8:16,k0:8,n0:8")
    sink.node("MatMul", ["a", "b"], ["y"], tile="m0:4,k0:4,n0:4")
    (node,) = sink.finish(onnx.GraphProto()).node
    assert {entry.key: entry.value for entry in node.metadata_props} == {
        ORIGIN: "first", TILE: "m0:4,k0:4,n0:4 of m8:16,k0:8,n0:8",
    }  # fmt: skip


def test_constants_and_bodies() -> None:
    sink = WireSink(18, "fc")
    name = sink.constant("c", np.array([1, 2], np.int64))
    body = sink.body("loop", [("i", ir.DataType.INT64, [])], [("o", ir.DataType.FLOAT, [None, 4])])
    body.node("Add", [name, "i"], ["o"])
    sink.node("Scan", ["c"], ["y"], {"body": body, "num_scan_inputs": 1})
    graph = sink.finish(onnx.GraphProto())
    np.testing.assert_array_equal(numpy_helper.to_array(graph.initializer[0]), [1, 2])
    inner = next(attribute.g for attribute in graph.node[0].attribute if attribute.name == "body")
    assert (inner.name, [value.name for value in inner.input], [value.name for value in inner.output]) == (
        "loop", ["i"], ["o"],
    )  # fmt: skip
    dims = inner.output[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [0, 4]
    assert sink.count == 2
