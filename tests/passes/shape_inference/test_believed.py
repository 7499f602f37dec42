"""Whose rule is believed, and in which version."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.passes.infer_shapes import InferShapes
from tests.passes.shape_inference.test_infer import HEAD
from tests.support import parse, run_onnxruntime


def test_sizes_by_scales_are_those_of_the_engine() -> None:
    """Engines multiply in float32, where 30 * 0.7 is 21 and onnx's own inference finds 20."""
    sizes, scales = range(1, 40), (0.1, 0.3, 0.7, 1.1, 2.3, 1 / 3)
    names = [f"{size}_{place}" for size in sizes for place, _ in enumerate(scales)]
    inputs = ", ".join(f"float[{size}] x{size}" for size in sizes)
    nodes = " ".join(f"y{name} = Resize (x{name.split('_')[0]}, , s{name[-1]})" for name in names)
    model = parse(
        f"{HEAD} g ({inputs}) => ({', '.join(f'float[n{name}] y{name}' for name in names)}) {{ {nodes} }}",
        **{f"s{place}": np.array([scale], np.float32) for place, scale in enumerate(scales)},
    )
    typed = ir.from_proto(model)
    InferShapes()(typed)
    real = run_onnxruntime(model, {f"x{size}": np.zeros(size, np.float32) for size in sizes})
    known = [(value, len(array)) for value, array in zip(typed.graph.outputs, real, strict=True)]
    known = [(value, length) for value, length in known if value.shape is not None and value.shape.is_static()]
    assert [str(value) for value, length in known if value.shape != (length,)] == []
    assert len(known) > 0.9 * len(names)


@pytest.mark.parametrize(
    "node",
    [
        "a = Slice <starts = [0], ends = [1], axes = [1]> (x) b = Squeeze <axes = [1]> (a)",
        "a, i = TopK <axis = 1, k = 1> (x) b = Squeeze <axes = [1]> (a)",
    ],
)
def test_old_versions_that_one_library_has_no_rule_for_keep_what_onnx_finds(node: str) -> None:
    text = '<ir_version: 4, opset_import: ["" : 9]> g (float[N,4,9] x, float[9,5] w) => (float[a,b] y)'
    (row,) = onnxtile.check(parse(f"{text} {{ {node} y = MatMul (b, w) }}"), (4, 4, 4)).contractions
    assert (row.m, row.k, row.n) == (None, 9, 5)
