"""Moves at run time are what numpy does, in the spelling of each opset."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.moves import ENDLESS, Moves, dims_of
from onnxtile.passes.rewrites.replacement import Replacement
from tests.support import parse, run_onnxruntime

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 13, 20])
@pytest.mark.parametrize(
    ("move", "want"),
    [
        (lambda moves, x: moves.pad("p", x, [(0, 0), (1, 0), (0, 2)]), np.pad(X, [(0, 0), (1, 0), (0, 2)])),
        (lambda moves, x: moves.pad("p", x, [(0, 0)] * 3), X),
        (lambda moves, x: moves.slice("s", x, 2, 1, -1, 1, 2), X[:, :, 1:-1]),
        (lambda moves, x: moves.slice("s", x, 2, 1, ENDLESS, 2, 2), X[:, :, 1::2]),
        (lambda moves, x: moves.concat("c", [x, x], 1), np.concatenate([X, X], 1)),
        (lambda moves, x: moves.concat("c", [x], 1), X),
        (lambda moves, x: moves.reshape("r", x, [2, 12]), X.reshape(2, 12)),
        (lambda moves, x: moves.transpose("t", x, [2, 0, 1]), X.transpose(2, 0, 1)),
    ],
)
def test_moves(move: Callable[[Moves, ir.Value], ir.Value], want: np.ndarray, opset: int) -> None:
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[2,3,4] x) => (float[A,B,C] y) {{ y = Neg (x) }}'
    model = ir.from_proto(parse(text))
    model.graph.outputs[0].shape = None
    new = Replacement(model.graph[0], Names(model))
    value = move(Moves(new, opset), model.graph.inputs[0])
    assert dims_of(value) == list(want.shape)
    if not new.nodes:
        np.testing.assert_array_equal(want, X)
        return
    new.swap_in(value)
    (got,) = run_onnxruntime(ir.to_proto(model), {"x": X})
    np.testing.assert_array_equal(got, want)


def test_unknown_sizes_that_stay_are_kept() -> None:
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[N,3,4] x) => (float[A,B] y) { y = Neg (x) }'
    model = ir.from_proto(parse(text))
    new = Replacement(model.graph[0], Names(model))
    value = model.graph.inputs[0]
    new.swap_in(Moves(new, 18).reshape("r", value, [dims_of(value)[0], 12]))
    (got,) = run_onnxruntime(ir.to_proto(model), {"x": X})
    np.testing.assert_array_equal(got, X.reshape(2, 12))
