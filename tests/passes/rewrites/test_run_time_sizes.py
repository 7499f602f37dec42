"""Shapes are constants where sizes are known, and else computed when the model runs."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.moves import Moves
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.run_time_sizes import Along, RunTimeSizes
from tests.support import parse, run_onnxruntime


@pytest.mark.parametrize("join", [False, True])
@pytest.mark.parametrize(("shape", "computed"), [("2,6,4", False), ("2,n,4", True)])
def test_sizes(shape: str, computed: bool, join: bool) -> None:
    """[2, n, 4] becomes [n / 2 * 2, 4, 2], or [4, 2 n]."""
    model = ir.from_proto(
        parse(f'<ir_version: 8, opset_import: ["" : 18]> g (float[{shape}] x) => (float[A,B,C] y) {{ y = Neg (x) }}')
    )
    x = model.graph.inputs[0]
    new = Replacement(model.graph[0], Names(model))
    sizes = RunTimeSizes(Moves(new, 18), x, 18)
    made = (
        sizes.join("joined", x, [4], [Along(1), 2])
        if join
        else sizes.reshape("turned", x, [Along(1, 2, -4), Along(0, 1, 1), 2])
    )
    model.graph.outputs[0].shape = None
    new.swap_in(made)
    assert ("Shape" in [node.op_type for node in model.graph]) == computed
    fed = np.arange(48, dtype=np.float32).reshape(2, 6, 4)
    (got,) = run_onnxruntime(ir.to_proto(model), {"x": fed})
    np.testing.assert_array_equal(got, fed.reshape(4, 12) if join else fed.reshape(8, 3, 2))
    assert [dim if isinstance(dim, int) else None for dim in made.shape or ()] == (
        list(got.shape) if not computed else [4, None] if join else [None, 3, 2]
    )


def test_what_has_the_shape_stays() -> None:
    model = ir.from_proto(
        parse('<ir_version: 8, opset_import: ["" : 18]> g (float[2,n] x) => (float[2,n] y) { y = Neg (x) }')
    )
    x, new = model.graph.inputs[0], Replacement(model.graph[0], Names(model))
    assert RunTimeSizes(Moves(new, 18), x, 18).reshape("same", x, [Along(0), Along(1)]) is x
