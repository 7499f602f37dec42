"""Fourier transforms: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.operators.contractions import contractions
from onnxtile.operators.sizes import Size
from onnxtile.operators.work import Operations
from tests.operators.nodes import SIZE, Sizes, counted, ints, sizes_of_ort
from tests.support import Shapes, run_reference


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("STFT", [[1, 16, 1], ints(4), [8]], [[1, 3, 5, 2]], {}, (24, 0, 0, 0)),
        ("DFT", [[1, 8, 2]], [[1, 8, 2]], {"axis": 1, "inverse": 1}, (16, 0, 0, 0)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        ("Rfft", [[2, 3, 8]], {"signal_ndim": 1}, [(6, 8, 10, 1)]),
        ("Irfft", [[2, 3, 5, 2]], {"signal_ndim": 1}, [(6, 10, 8, 1)]),
    ],
)
def test_sizes_of_onnxruntime_s_own(op: str, shapes: Shapes, attributes: dict[str, Any], expected: Sizes) -> None:
    assert sizes_of_ort(op, shapes, attributes) == expected


@given(st.sampled_from([17, 20]), st.sampled_from([None, 1, 2, -2]), st.booleans(), st.booleans(), st.none() | SIZE)
def test_every_way_to_say_a_fourier_transform(
    opset: int, axis: int | None, inverse: bool, onesided: bool, length: int | None
) -> None:
    parts = 2 if inverse else 1
    attributes = f"inverse: int = {int(inverse)}, onesided: int = {int(onesided)}"
    attributes += f", axis: int = {axis}" if axis is not None and opset < 20 else ""
    operands = ["x", "length" if length else "", "axis" if axis is not None and opset >= 20 else ""]
    model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : {opset}]>
        g (float[3,4,5,{parts}] x) => (float[a,b,c,d] y) {{
            length = Constant <value_int: int = {length or 0}> ()
            axis = Constant <value_int: int = {axis or 0}> ()
            y = DFT <{attributes}> (x, length, axis)
        }}""")
    while not operands[-1]:
        operands.pop()
    model.graph.node[-1].input[:] = operands
    x = np.ones((3, 4, 5, parts), np.float32)
    (y,) = run_reference(model, {"x": x})
    at = {None: 1 if opset < 20 else 2, 1: 1, 2: 2, -2: 2}[axis]
    (found,) = contractions(ir.from_proto(model))
    signals = x.size // x.shape[at] // parts
    points = length or (2 * (x.shape[at] - 1) if inverse and onesided else x.shape[at])
    taken = min(points // 2 + 1 if inverse and onesided else points, x.shape[at])
    assert found.size == Size(signals, taken * parts, y.size // signals, 1)


@given(st.integers(1, 2), st.integers(6, 9), st.integers(2, 4), st.integers(1, 3), st.booleans())
def test_a_short_time_transform_is_one_of_every_frame(
    batch: int, length: int, frame: int, step: int, onesided: bool
) -> None:
    text = f"""<ir_version: 10, opset_import: ["" : 17]>
        g (float[{batch},{length},1] x, float[{frame}] w) => (float[a,b,c,d] y) {{
            step = Constant <value_int: int = {step}> ()
            y = STFT <onesided: int = {int(onesided)}> (x, step, w)
        }}"""
    model = onnx.parser.parse_model(text)
    (y,) = run_reference(model, {"x": np.ones((batch, length, 1), np.float32), "w": np.ones(frame, np.float32)})
    (row,) = onnxtile.check(model, (1, 1, 1), ops="all").contractions
    assert (row.m, row.k, row.n) == (y.shape[0] * y.shape[1], frame, y.shape[2] * 2)
