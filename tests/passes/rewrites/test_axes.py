"""Nodes that take, put in and cut axes, in old opsets and new ones."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.axes import Axes
from onnxtile.passes.rewrites.replacement import Replacement
from tests.support import parse, run_onnxruntime

X = np.arange(12, dtype=np.float32).reshape(2, 6)


@pytest.mark.parametrize("opset", [9, 13])
def test_pieces_and_axes(opset: int) -> None:
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[2,6] x) => (float[1,5] y) {{ y = Neg (x) }}'
    model = ir.from_proto(parse(text))
    new = Replacement(model.graph[0], Names(model))
    axes, x = Axes(new, opset), model.graph.inputs[0]
    first, second = axes.splitter("pieces", [1, 5]).split(x, ["first", "second"])
    assert (first.shape, second.shape) == (ir.Shape([2, 1]), ir.Shape([2, 5]))
    row = axes.take("row", second, axes.numbers("index", 1), 0, [5])
    assert row.shape == ir.Shape([5])
    new.swap_in(axes.unsqueeze("y_row", row, 0))
    np.testing.assert_array_equal(run_onnxruntime(ir.to_proto(model), {"x": X})[0], X[1:, 1:])


def test_reshape_by_numbers() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2,6] x) => (float[3,4] y) { y = Neg (x) }'
    model = ir.from_proto(parse(text))
    new = Replacement(model.graph[0], Names(model))
    new.swap_in(Axes(new, 17).reshape("y", model.graph.inputs[0], [-1, 4], [3, 4]))
    np.testing.assert_array_equal(run_onnxruntime(ir.to_proto(model), {"x": X})[0], X.reshape(3, 4))
