"""A model is read without its large weights, and is otherwise the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

from onnxtile.errors import ModelError
from onnxtile.ir.io.lazy import LARGE, skim
from onnxtile.ir.io.load import load
from tests.support import parse

LARGEST_KEPT = np.arange(LARGE // 4 - 8, dtype=np.float32)
LEFT = np.arange(LARGE, dtype=np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[1] x) => (float[A] y, float[B] z) {
           y = Add (x, kept)  z = Add (x, left) }""",
        kept=LARGEST_KEPT, left=LEFT,
    )  # fmt: skip
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_large_weights_stay_in_the_file(path: Path) -> None:
    model = skim(path)
    kept, left = (model.graph.initializers[name].const_value for name in ("kept", "left"))
    assert isinstance(left, ir.ExternalTensor)
    assert not isinstance(kept, ir.ExternalTensor)
    assert (left.location, left.length) == ("m.onnx", LEFT.nbytes)
    np.testing.assert_array_equal(left.numpy(), LEFT)


def test_it_is_the_model_that_load_reads(path: Path) -> None:
    one, other = ir.to_proto(skim(path)), ir.to_proto(load(path))
    del one.graph.initializer[:], other.graph.initializer[:]
    assert one == other


def test_several_graphs_of_a_file_are_one(path: Path) -> None:
    more = onnx.ModelProto()
    more.graph.initializer.append(numpy_helper.from_array(LEFT, "more"))
    path.write_bytes(path.read_bytes() + more.SerializeToString())
    assert set(skim(path).graph.initializers) == {"kept", "left", "more"}


@pytest.mark.parametrize("cut", [1, 50, 2000])
def test_a_damaged_file_is_refused_in_the_words_of_load(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ModelError) as error:
        skim(path)
    with pytest.raises(ModelError) as wanted:
        load(path)
    assert str(error.value) == str(wanted.value)
