"""Weights packed in blocks that can't be read are refused with the reason."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from tests.passes.test_decompose_blockwise import F16, F32, bnb4, n_bits
from tests.passes.test_decompose_blockwise_refused import as_input, changed, unknown, with_tensor


def with_g_idx(made: onnx.ModelProto) -> onnx.ModelProto:
    made.graph.initializer.append(numpy_helper.from_array(np.zeros(32, np.int32), "g"))
    made.graph.node[0].input.extend(["", "g"])
    return made


def with_input(made: onnx.ModelProto, *names: str) -> onnx.ModelProto:
    made.graph.node[0].input.extend(names)
    return made


BYTES = np.dtype(np.uint8)


REFUSED = {
    "its attribute speed isn't understood": lambda: changed(n_bits([4, 32], 32, 8), speed=1),
    "it has g_idx, which is deprecated": lambda: with_g_idx(n_bits([4, 32], 32, 8)),
    "its B isn't a constant": lambda: as_input(n_bits([4, 32], 32, 8), "B"),
    "its scales isn't a constant": lambda: as_input(n_bits([4, 32], 32, 8), "scales"),
    "its zero_points isn't a constant": lambda: as_input(n_bits([4, 32], 32, 8, zeros="packed"), "zero_points"),
    "its absmax isn't a constant": lambda: as_input(bnb4([4, 32], 32, 8), "absmax"),
    "bits is 3, which isn't supported; it must be 2 or 4 or 8": lambda: changed(n_bits([4, 32], 32, 8), bits=3),
    "block_size is 24; it must be a power of two": lambda: changed(n_bits([4, 32], 32, 8), block_size=24),
    "weight_prepacked is 1, which isn't supported": lambda: changed(n_bits([4, 32], 32, 8), weight_prepacked=1),
    "quant_type is 2, which isn't supported": lambda: changed(bnb4([4, 32], 32, 8), quant_type=2),
    "transB is 0, which isn't supported; it must be 1": lambda: changed(bnb4([4, 32], 32, 32), transB=0),
    r"B has the shape \[8, 2, 8\], where .* make it \[8, 2, 16\]": lambda: changed(n_bits([4, 32], 32, 8), bits=8),
    r"scales has the shape \[3\], where": lambda: with_tensor(n_bits([4, 32], 32, 8), "scales", np.ones(3, F32)),
    r"zero_points has the shape \[8, 2\], where .* make it \[8, 1\]": lambda: with_tensor(
        n_bits([4, 32], 32, 8, zeros="packed"), "zero_points", np.ones([8, 2], BYTES)
    ),
    "B is INT8, not UINT8": lambda: with_tensor(n_bits([4, 32], 32, 8), "B", np.zeros([8, 2, 8], np.int8)),
    "zero_points are FLOAT16, neither UINT8 nor": lambda: with_tensor(
        n_bits([4, 32], 32, 8, zeros="packed"), "zero_points", np.ones([8, 2], F16)
    ),
    "its scales and A are of different types": lambda: with_tensor(
        n_bits([4, 32], 32, 8), "scales", np.ones([8, 2], F16)
    ),
    "B has 3 elements, where .* make it 128": lambda: with_tensor(bnb4([4, 32], 32, 8), "B", np.ones(3, BYTES)),
    "absmax has 3 elements, where .* make it 16": lambda: with_tensor(bnb4([4, 32], 32, 8), "absmax", np.ones(3, F32)),
    "its bias isn't known to be 8 elements": lambda: with_tensor(
        n_bits([4, 32], 32, 8, bias=True), "bias", np.ones(3, F32)
    ),
    "its inputs aren't A, B, absmax": lambda: with_input(bnb4([4, 32], 32, 8), "A"),
    "its attribute K isn't a number of elements": lambda: changed(n_bits([4, 32], 32, 8), K=0),
    "DOUBLE isn't tiled": lambda: n_bits([4, 32], 32, 8, dtype=np.dtype(np.float64)),
    "the shape of its A isn't known": lambda: unknown(n_bits([4, 32], 32, 8)),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused(words: str) -> None:
    made = REFUSED[words]()
    before = made.SerializeToString()
    report, _ = onnxtile.estimate(made, (None, 16, 4))
    row = report.contractions[-1]  # one of a domain that nobody knows may come first
    assert row.status == "refused"
    assert re.search(words, str(row.reason))
    assert onnxtile.lower(made, (None, 16, 4)).graph.node == made.graph.node
    assert made.SerializeToString() == before


def test_operands_that_contradict() -> None:
    with pytest.raises(onnxtile.OnnxtileError, match="its operands contradict, K is 33 and 32"):
        onnxtile.check(n_bits([4, 33], 32, 8), (4, 4, 4))
