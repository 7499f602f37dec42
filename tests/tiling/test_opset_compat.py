"""Operators are written as each opset has them, and compute the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from onnxtile.tiling import opset_compat
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.sinks.protobuf import WireSink
from tests.support import run_onnxruntime

X = np.arange(1, 22, dtype=np.float32).reshape(3, 7)
OPSETS = (7, 9, 10, 11, 12, 13, 18, 21)


def run(
    write: Callable[[Sink], None], opset: int, x: np.ndarray = X, outputs: tuple[str, ...] = ("y",)
) -> list[np.ndarray]:
    """Return what the nodes compute of `x` in an engine."""
    sink = WireSink(opset, "")
    write(sink)
    data_type = helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = sink.finish(
        helper.make_graph(
            [], "g", [helper.make_tensor_value_info("x", data_type, x.shape)],
            [helper.make_tensor_value_info(name, data_type, None) for name in outputs],
        )
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    return run_onnxruntime(model, {"x": x})


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("most", [None, 2, 3])
def test_split_in_trees(opset: int, most: int | None) -> None:
    names, lengths = tuple(f"p{at}" for at in range(5)), [2, 1, 2, 1, 1]
    parts = run(lambda sink: opset_compat.Splitter(sink, "n", 1, most).split("x", names, lengths), opset, X, names)
    for part, want in zip(parts, np.split(X, np.cumsum(lengths)[:-1], axis=1), strict=True):
        np.testing.assert_array_equal(part, want)


@pytest.mark.parametrize("opset", OPSETS)
def test_a_slice_for_each_piece(opset: int) -> None:
    names, lengths = tuple(f"p{at}" for at in range(5)), [2, 1, 2, 1, 1]
    parts = run(lambda sink: opset_compat.Slicer(sink, "n", 1).split("x", names, lengths), opset, X, names)
    for part, want in zip(parts, np.split(X, np.cumsum(lengths)[:-1], axis=1), strict=True):
        np.testing.assert_array_equal(part, want)


@pytest.mark.parametrize("most", [None, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_concat_in_trees(most: int | None, count: int) -> None:
    sink = WireSink(18, "")
    opset_compat.merge_tree(sink, "Concat", [f"p{at}" for at in range(count)], "y", {"axis": 0}, most)
    nodes = sink.finish(onnx.GraphProto()).node
    assert all(len(node.input) <= (most or count) for node in nodes)
    read = [name for node in nodes for name in node.input if name.startswith("p")]
    assert read == [f"p{at}" for at in range(count)]
    assert nodes[-1].output == ["y"]


CASES: dict[str, tuple[Callable[[Sink], None], np.ndarray]] = {
    "sum": (lambda sink: opset_compat.reduce_sum(sink, "x", "y", 1), X.sum(1)),
    "unsqueeze": (lambda sink: opset_compat.squeeze(sink, "Unsqueeze", "x", "y", 1), X[:, None]),
    "first": (lambda sink: opset_compat.take_first(sink, "x", "y", {0: 2, 1: 3}), X[:2, :3]),
    "padded": (
        lambda sink: opset_compat.pad_end(sink, "x", "y", 2, {0: 2, 1: 1}, is_float=True),
        np.pad(X, [(0, 2), (0, 1)]),
    ),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", CASES)
def test_the_same_in_each_opset(name: str, opset: int) -> None:
    write, want = CASES[name]
    (got,) = run(write, opset)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("opset", [8, 10, 11, 18])
def test_integers_are_padded_too(opset: int) -> None:
    x = X.astype(np.int32)
    (got,) = run(lambda sink: opset_compat.pad_end(sink, "x", "y", 2, {0: 2, 1: 1}, is_float=False), opset, x)
    np.testing.assert_array_equal(got, np.pad(x, [(0, 2), (0, 1)]))


def test_an_end_that_is_known_at_run_time() -> None:
    def write(sink: Sink) -> None:
        sink.node("Shape", ["x"], ["ends"])
        opset_compat.take_first_dynamic(sink, "x", "y", [1, 0], "ends")

    (got,) = run(write, 18)
    np.testing.assert_array_equal(got, X[:, :3])  # 3 along axis 1, 7 along axis 0
