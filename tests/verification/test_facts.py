"""Types and shapes of values at any sizes, by scope and name."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.errors import ModelError
from onnxtile.verification.facts import Fact, Facts, Shapes, bare
from tests.support import parse

MODEL = parse("""<ir_version: 10, opset_import: ["" : 20]> g (float[N,4] x, float[K,5] w) => (float[N,5] y)
    { t = MatMul (x, w)  y = Relu (t) }""")


def test_shapes_are_formulas_of_free_sizes() -> None:
    shapes = Shapes(bare(MODEL), {})
    assert shapes.free == ["N"] and shapes.forced == {"K": 4}
    for size in (0, 1, 7):
        assert shapes.at({"N": size}).find("", "t") == Fact(ir.DataType.FLOAT, (size, 5))
    first = shapes.first({"N": 3})
    assert first is not None and first.find("", "y") == Fact(ir.DataType.FLOAT, (3, 5)) and first.free


def test_sizes_that_do_not_go_together_are_none_where_they_are_free() -> None:
    apart = parse("""<ir_version: 10, opset_import: ["" : 20]> g (float[N] x, float[M] z) => (float[P] y)
        { i = Add (x, z)  y = Relu (i) }""")
    assert Shapes(bare(apart), {}).first({"N": 2, "M": 3}) is None
    with pytest.raises(ModelError):
        Shapes(bare(apart), {"N": 2, "M": 3})


def test_a_graph_inside_sees_what_is_around_it() -> None:
    fact = Fact(ir.DataType.FLOAT, (2,))
    facts = Facts({("", "x"): fact})
    assert facts.find("if/then_branch", "x") is fact
    assert facts.find("if/then_branch", "z") is None


def test_what_a_file_says_of_inner_values_is_left_out() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 20]> g (float[2] x) => (float[2] y)
        { t = Neg (x)  y = Add (t, w) }""",
        w=np.zeros(2, np.float32),
    )
    model.graph.value_info.add(name="t").type.tensor_type.elem_type = ir.DataType.INT8.value
    assert not bare(model).graph.value_info
    facts = Shapes(bare(model), {}).first({})
    assert facts is not None and facts.find("", "t") == Fact(ir.DataType.FLOAT, (2,))
