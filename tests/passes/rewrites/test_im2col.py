"""Windows are rows, kernels are columns: channels fastest, the kernel's last axis slowest."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.operators.windows import Geometry
from onnxtile.passes.rewrites.im2col import Im2col, window_refusals
from onnxtile.passes.rewrites.replacement import Replacement
from tests.support import node_model, run_onnxruntime


def rows(
    x: np.ndarray, w: list[int], declared: list[Any] | None = None, filler: int | None = None, last: bool = False,
    **attributes: Any,
) -> np.ndarray:  # fmt: skip
    """A of the convolution of x by a weight of that shape."""
    model = ir.from_proto(node_model("Conv", [declared or list(x.shape), w], [x.ndim], **attributes))
    node = model.graph[0]
    new = Replacement(node, Names(model))
    im2col = Im2col(new, Geometry.of(node, channels_last=last, kernel_first=last), 18)
    number = None if filler is None else new.constant("filler", np.array(filler, np.float32))
    value = im2col.windows(model.graph.inputs[0], number)
    model.graph.outputs[0].shape = None
    new.swap_in(value)
    del model.graph.inputs[1]
    (got,) = run_onnxruntime(ir.to_proto(model), {"X0": x})
    return got


X = np.arange(2 * 2 * 3 * 3, dtype=np.float32).reshape(2, 2, 3, 3)
A = np.array([X[b, :, i : i + 2, j : j + 2].transpose(2, 1, 0).reshape(-1)
              for b in range(2) for i in range(2) for j in range(2)])  # fmt: skip


def test_rows_by_hand() -> None:
    np.testing.assert_array_equal(rows(X, [5, 2, 2, 2]), A)
    np.testing.assert_array_equal(rows(X, [5, 2, 2, 2], declared=["n", 2, 3, 3]), A.reshape(2, 4, 8))
    np.testing.assert_array_equal(rows(X, [5, 2, 2, 2], declared=[2, 2, "h", "w"]), A.reshape(2, 2, 2, 8))
    np.testing.assert_array_equal(rows(X.transpose(0, 2, 3, 1), [5, 2, 2, 2], last=True), A)


def test_groups_are_in_front() -> None:
    got = rows(X, [4, 1, 2, 2], group=2)
    for group in range(2):
        np.testing.assert_array_equal(got[group], rows(X[:, group : group + 1], [4, 1, 2, 2]))
    free = rows(X, [4, 1, 2, 2], declared=["n", 2, "h", "w"], group=2)
    np.testing.assert_array_equal(free.reshape(got.shape), got)


def test_a_filler_is_padded_with() -> None:
    got = rows(X, [5, 2, 3, 3], filler=7, pads=[1, 0, 0, 0])
    assert (got.reshape(2, 2, 3, 3, 2)[:, 0, :, 0] == 7).all()


def test_bytes_are_not_padded_before_opset_11() -> None:
    (node,) = ir.from_proto(node_model("Conv", [[1, 2, 5], [4, 2, 3]], [3], pads=[1, 0])).graph
    geometry = Geometry.of(node)
    assert not list(window_refusals(geometry, 10))
    assert [refusal.code for refusal in window_refusals(geometry, 10, pads_integers=True)] == ["opset"]


@pytest.mark.parametrize("w", [["f", 2, 3], [4, 2, "k"]])
def test_kernels_need_sizes(w: list[Any]) -> None:
    (node,) = ir.from_proto(node_model("Conv", [[1, 2, 5], w], [3])).graph
    assert [refusal.code for refusal in window_refusals(Geometry.of(node), 18)] == ["symbolic"]
