"""Nodes cut out of a model compute there what they did in the whole."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.debugging.reduce.extraction import Cutter
from tests.debugging.reduce.test_reducer import F32
from tests.planted import network
from tests.support import run_onnxruntime


@given(st.sets(st.integers(0, 14), min_size=1))
def test_every_part_of_a_model_computes_what_it_did_there(chosen: set[int]) -> None:
    """Any nodes cut out, fed with the values that the whole model has there, give the whole model's values."""
    whole_model = network()
    for node in whole_model.graph.node:
        for name in node.output:
            if name not in ("y", "z"):
                whole_model.graph.output.append(onnx.ValueInfoProto(name=name))
    fed = {"x": np.random.default_rng(1).standard_normal((4, 10)).astype(F32)}
    values = fed | dict(
        zip((each.name for each in whole_model.graph.output), run_onnxruntime(whole_model, fed), strict=True)
    )
    model = ir.from_proto(network())
    part = Cutter(model, seed=0).cut([node for index, node in enumerate(model.graph) if index in chosen])
    assert part is not None
    proto = ir.to_proto(part)
    onnx.checker.check_model(proto, full_check=True)
    assert len(proto.graph.node) == len(chosen)
    results = run_onnxruntime(proto, {each.name: values[each.name] for each in proto.graph.input}, optimize=False)
    for value, result in zip(proto.graph.output, results, strict=True):
        np.testing.assert_allclose(result, values[value.name], rtol=1e-4, atol=1e-5)
