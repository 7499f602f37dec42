"""The loop form: a Scan around Loops, with one product of one tile's size inside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import OnnxtileError
from onnxtile.ir.metadata import TILE
from tests.support import alike, matmul, operators, parse, whole


def lowered(a: list[int | str], b: list[int], c: list[int | str], limits: str = "4,4,4") -> onnx.ModelProto:
    model: onnx.ModelProto = onnxtile.lower(matmul(a, b, c), limits, form="loop")
    return model


def numbers(model: onnx.ModelProto) -> dict[str, list[int]]:
    arrays = {tensor.name.split("/")[-1]: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {name: array.tolist() for name, array in arrays.items() if array.dtype == np.int64}


def body_of(graph: onnx.GraphProto, op_type: str) -> onnx.GraphProto:
    (node,) = (node for node in graph.node if node.op_type == op_type)
    (body,) = (attribute.g for attribute in node.attribute if attribute.HasField("g"))
    return body


def constants_read_from_around(graph: onnx.GraphProto, around: frozenset[str] = frozenset()) -> set[str]:
    """Return the constants that nodes in bodies read and that lie in a graph around them."""
    own = frozenset(tensor.name for tensor in graph.initializer)
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    read = {name for node in graph.node for name in node.input} & around
    return read.union(*(constants_read_from_around(body, around | own) for body in inner))


@pytest.mark.parametrize("batch", [[], [2], ["b"]])
def test_bodies_have_the_constants_that_they_read(batch: list[int | str]) -> None:
    """graphsurgeon copies others into the body, under the same name."""
    model = lowered([*batch, 5, 6], [6, 7], [*batch, 5, 7])
    assert constants_read_from_around(model.graph) == set()
    assert body_of(body_of(model.graph, "Scan"), "Loop").initializer


def test_one_product_of_one_tile_in_loops_in_a_scan() -> None:
    model = lowered([5, 6], [6, 7], [5, 7])
    assert "MatMul" not in operators(model)
    along_n = body_of(body_of(model.graph, "Scan"), "Loop")
    products = [node for node in body_of(along_n, "Loop").node if node.op_type == "MatMul"]
    assert len(products) == 1
    assert [entry.value for entry in products[0].metadata_props if entry.key == TILE] == ["m4,k4,n4"]


@pytest.mark.parametrize(
    ("limits", "loops"),
    [
        ("4,4,4", ["Scan over_m", "Loop over_n", "Loop over_k"]), ("4,4,*", ["Scan over_m", "Loop over_k"]),
        ("4,*,*", ["Scan over_m"]), ("*,4,4", ["Scan over_n", "Loop over_k"]), ("*,*,4", ["Scan over_n"]),
        ("*,4,*", ["Scan over_k"]), ("4,*,4", ["Scan over_m", "Loop over_n"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("batch", [[], [2], ["b", 1]], ids=str)
def test_an_axis_that_stays_whole_has_no_loop(limits: str, loops: list[str], batch: list[int | str]) -> None:
    original = matmul([*batch, 5, 6], [6, 7], [*batch, 5, 7])
    model = onnxtile.lower(original, limits, form="loop")
    assert [f"{op_type} {body.name}" for op_type, body in bodies(model.graph)] == loops
    size = [3 if axis == "b" else axis for axis in [*batch, 5, 6]]
    alike(original, model, {"X": whole(size, np.dtype(np.float32), 3)})  # type: ignore[arg-type]  # numbers all


def bodies(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.GraphProto]]:
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield node.op_type, attribute.g
                yield from bodies(attribute.g)


def reads(graph: onnx.GraphProto) -> set[str]:
    """Return what a body reads that isn't its own: captures."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    wanted: set[str] = set()
    for node in graph.node:
        inner = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
        wanted |= {name for name in node.input if name}.union(*map(reads, inner)) - own
        own |= set(node.output)
    return wanted - own


@pytest.mark.parametrize("rows", [5, "M"])
@pytest.mark.parametrize("limits", ["4,4,4", "*,4,4", "*,4,*", "4,*,4"])
def test_a_scan_captures_nothing(rows: int | str, limits: str) -> None:
    model = onnxtile.lower(matmul(["b", rows, 6], [6, 7], ["b", rows, 7]), limits, form="loop")
    scans = [body for op_type, body in bodies(model.graph) if op_type == "Scan"]
    assert [reads(scan) for scan in scans] == [set()]


def test_the_sum_keeps_its_shape() -> None:
    (over_k,) = (body for _, body in bodies(lowered([5, 6], [6, 7], [5, 7]).graph) if body.name == "over_k")
    for value in (over_k.input[2], over_k.output[1]):
        assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == [4, 4]


@pytest.mark.parametrize("move", ["Transpose <perm = [1, 0]> (d)", "Reshape (d, size)"])
def test_a_quantized_operand_that_was_moved(move: str) -> None:
    model = parse(
        f"""<ir_version: 9, opset_import: ["" : 19]> g (uint8[6,6] x, float[6,6] w) => (float[6,6] y)
        <float s = {{0.5}}, uint8 z = {{0}}, int64[2] size = {{6, 6}}>
        {{ d = DequantizeLinear (x, s, z) t = {move} y = MatMul (t, w) }}"""
    )
    feeds = {"x": whole([6, 6], np.dtype(np.uint8), 3), "w": whole([6, 6], np.dtype(np.float32), 4)}
    alike(model, onnxtile.lower(model, "4,4,4", form="loop"), feeds)


def test_a_ragged_edge_is_padded_with_zeros_and_cut_off() -> None:
    model = lowered([5, 6], [6, 7], [5, 7])
    assert operators(model)[0] == "Pad"
    assert operators(model)[-1] == "Slice"
    found = numbers(model)
    assert found["A_padded_pads"] == [0, 0, 3, 2]  # 5 x 6 to 8 x 8
    assert found["C_ends"] == [5, 7]
    (tiles,) = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == "W/tiles")
    assert tiles.shape == (2, 2, 4, 4)
    assert not tiles[1, :, :, 3:].any()  # columns beyond N = 7
    assert not tiles[:, 1, 2:].any()  # rows beyond K = 6
    even = lowered([8, 8], [8, 8], [8, 8])
    assert not {"Pad", "Slice"} & set(operators(even))


@pytest.mark.parametrize("rows", [0, 1, 4, 9])
def test_rows_that_run_time_knows(rows: int) -> None:
    model = matmul(["M", 6], [6, 7], ["M", 7])
    alike(model, lowered(["M", 6], [6, 7], ["M", 7]), {"X": whole([rows, 6], np.dtype(np.float32), 3)})


def test_it_needs_opset_11() -> None:
    old = matmul([5, 6], [6, 7], [5, 7], opset=10)
    assert operators(onnxtile.lower(old, "4,4,4", form="loop")) == ["MatMul"]  # it stays as it is
    with pytest.raises(OnnxtileError, match="is unknown: take one of"):
        onnxtile.lower(matmul([5, 6], [6, 7], [5, 7]), "4,4,4", form="loops")
