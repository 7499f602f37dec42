"""Local functions are inlined as onnx_ir inlines them, in less time."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from onnxtile.passes.rewrites.inlining import Inline
from tests.ir.test_bounds import nested


def test_inlining_gives_the_names_of_the_library() -> None:
    model = nested(3, 4)
    model.graph.node[0].name = "Relu_2"
    for at, node in enumerate(node for function in model.functions for node in function.node):
        node.name = ["", "n", "n_3"][at % 3]
    ours, theirs = ir.from_proto(model), ir.from_proto(model)
    Inline()(ours)
    InlinePass()(theirs)
    assert ir.to_proto(ours) == ir.to_proto(theirs)
    assert len(ours.graph) == 64
