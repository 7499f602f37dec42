"""The geometry of ConvTranspose follows from its attributes as onnx has it."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.passes.rewrites.transposed_geometry import TransposedGeometry
from onnxtile.tiling.legality import Refusal
from tests.transposed import model


def geometry(opset: int = 20, **attributes: Any) -> TransposedGeometry | Refusal:
    case = model([1, 4, 3, 5], [4, 2, 3, 3], opset=opset, **attributes)
    return TransposedGeometry.of(ir.from_proto(case.model).graph[0], opset)


@pytest.mark.parametrize(
    ("attributes", "begins", "output"),
    [
        ({}, [0, 0], [5, 7]),
        ({"strides": [2, 3]}, [0, 0], [7, 15]),
        ({"strides": [2, 2], "pads": [1, 0, 0, 1]}, [1, 0], [6, 10]),
        ({"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, [1, 1], [6, 10]),
        ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, [0, 0], [6, 10]),
        ({"strides": [2, 2], "auto_pad": "SAME_LOWER"}, [1, 1], [6, 10]),
        ({"strides": [2, 2], "auto_pad": "VALID"}, [0, 0], [7, 11]),
        ({"strides": [2, 2], "output_shape": [4, 8]}, [2, 2], [4, 8]),
        ({"strides": [2, 2], "output_shape": [8, 12]}, [0, 0], [8, 12]),
        ({"dilations": [2, 1]}, [0, 0], [7, 7]),
    ],
    ids=str,
)
def test_what_attributes_say(attributes: dict[str, Any], begins: list[int], output: list[int]) -> None:
    found = geometry(**attributes)
    assert isinstance(found, TransposedGeometry)
    assert (found.begins, found.output) == (begins, output)


def test_kernels_as_large_as_strides_tile_the_output() -> None:
    found = [geometry(strides=strides) for strides in ([3, 3], [2, 3])]
    assert [isinstance(each, TransposedGeometry) and each.is_tiling for each in found] == [True, False]


def test_engines_that_differ_are_a_reason() -> None:
    found = geometry(9, strides=[2, 2], auto_pad="SAME_UPPER")
    assert isinstance(found, Refusal)
    assert found.code == "auto-pad"
