"""The padding of auto_pad SAME at run time is what it would be ahead of time."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.operators.windows import Geometry
from onnxtile.passes.rewrites.moves import Moves
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.same_pads import same_pads
from tests.support import node_model, run_onnxruntime


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("last", [False, True])
def test_pads(auto_pad: str, last: bool) -> None:
    attributes = {"auto_pad": auto_pad, "strides": [2, 3], "dilations": [2, 1]}
    declared = ["n", "h", "w", 2] if last else ["n", 2, "h", "w"]
    kernel = [4, 2, 3, 2] if last else [4, 2, 2, 3]  # kernel_first has 2 by 3, then channels
    model = ir.from_proto(node_model("Conv", [declared, kernel], [4], **attributes))
    node = model.graph[0]
    new = Replacement(node, Names(model))
    geometry = Geometry.of(node, channels_last=last, kernel_first=last)
    value = same_pads(Moves(new, 18), model.graph.inputs[0], geometry)
    (output,) = model.graph.outputs
    output.shape, output.type = None, ir.TensorType(ir.DataType.INT64)
    new.swap_in(value)
    del model.graph.inputs[1]
    for lengths in ([5, 7], [6, 6], [1, 9], [3, 8]):
        sizes = [1, *lengths, 2] if last else [1, 2, *lengths]
        (got,) = run_onnxruntime(ir.to_proto(model), {"X0": np.zeros(sizes, np.float32)})
        (known,) = ir.from_proto(node_model("Conv", [sizes, kernel], [4], **attributes)).graph
        axes = Geometry.of(known, channels_last=last, kernel_first=last).axes
        begins, ends = [axis.begin for axis in axes], [axis.end for axis in axes]
        assert got.tolist() == ([0, *begins, 0, 0, *ends, 0] if last else [0, 0, *begins, 0, 0, *ends])
