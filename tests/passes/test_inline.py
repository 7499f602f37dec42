"""Functions in the place of their calls, with shapes; those of another opset stay, each for its calls."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.ir.io.load import from_proto
from onnxtile.passes.inline import inline, inlined
from tests.support import parse

TEXT = """<ir_version: 10, opset_import: ["" : 18, "l" : 1]> g (float[n,8] x, float[4,8] z) => (float y, float u) {
   y = l.f (x, w)  u = l.f (z, w) }
<domain: "l", opset_import: ["" : OPSET]> f (a, b) => (c) { c = MatMul (a, b) }"""


def model(opset: int) -> ir.Model:
    return from_proto(parse(TEXT.replace("OPSET", str(opset)), w=np.ones([8, 3], np.float32)))


def test_calls_become_nodes_with_shapes() -> None:
    original = model(18)
    copy = inlined(original)
    assert [node.op_type for node in copy.graph] == ["MatMul", "MatMul"]
    assert [str(node.outputs[0].shape) for node in copy.graph] == ["[n,3]", "[4,3]"]
    assert not copy.functions
    assert [node.op_type for node in original.graph] == ["f", "f"]


def test_functions_of_another_opset_stay_one_for_each_signature() -> None:
    kept = model(18)
    next(iter(kept.functions.values())).opset_imports[""] = 17
    inline(kept)
    assert len(kept.functions) == 2
    products = [node for function in kept.functions.values() for node in function]
    assert sorted(str(node.outputs[0].shape) for node in products) == ["[4,3]", "[n,3]"]
