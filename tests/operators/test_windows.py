"""Windows along the axes of a convolution: counted where sizes are numbers, and refused where there can be none."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.errors import ModelError
from onnxtile.operators.windows import Geometry
from tests.support import node_model


def geometry(x: list[Any], w: list[Any], channels_last: bool = False, **attributes: Any) -> Geometry:
    (node,) = ir.from_proto(node_model("Conv", [x, w], [len(x)], **attributes)).graph
    return Geometry.of(node, channels_last=channels_last, kernel_first=channels_last)


@pytest.mark.parametrize(
    ("length", "kernel", "attributes", "begin", "end", "out"),
    [
        (7, 3, {}, 0, 0, 5),
        (7, 3, {"pads": [1, 2], "strides": [2], "dilations": [2]}, 1, 2, 3),
        (7, 3, {"auto_pad": "VALID", "pads": [1, 1]}, 0, 0, 5),
        (7, 4, {"auto_pad": "SAME_UPPER"}, 1, 2, 7),
        (7, 4, {"auto_pad": "SAME_LOWER"}, 2, 1, 7),
        (8, 1, {"auto_pad": "SAME_UPPER", "strides": [2]}, 0, 0, 4),
        (2, 3, {}, 0, 0, 0),
        ("n", 4, {"auto_pad": "SAME_LOWER"}, 2, 1, None),
        ("n", 4, {"auto_pad": "SAME_LOWER", "strides": [2]}, None, None, None),
    ],
)
def test_windows_along_an_axis(
    length: Any, kernel: int, attributes: dict[str, Any], begin: Any, end: Any, out: Any
) -> None:
    (axis,) = geometry([1, 2, length], [4, 2, kernel], **attributes).axes
    assert (axis.begin, axis.end, axis.out if isinstance(length, int) else None) == (begin, end, out)


def test_channels_last() -> None:
    last = geometry([2, 7, 9, 4], [6, 3, 2, 2], channels_last=True, group=2)
    first = geometry([2, 4, 7, 9], [6, 2, 3, 2], group=2)
    assert last.size == first.size
    assert (first.size.m, first.depth, first.filters_of_group, first.group) == (2 * 5 * 8, 12, 3, 2)


def test_a_batch_that_is_not_a_number_counts_products() -> None:
    size = geometry(["n", 4, 7], [6, 2, 3], group=2).size
    assert (size.m, str(size.batch)) == (5, "2*n")


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"auto_pad": "SAME"}, "auto_pad is 'SAME', not one of NOTSET, VALID, SAME_UPPER, SAME_LOWER"),
        ({"dilations": [3]}, "its kernel reaches over 7 elements, the padded data has 5"),
        ({"dilations": [0]}, "a dilation is 0; it must be 1 or more"),
    ],
)
def test_what_contradicts_itself(attributes: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        geometry([1, 2, 5], [4, 2, 3], **attributes)
