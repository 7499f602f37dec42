"""Errors of engines come in one line, as our own."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnxtile.errors import UnsupportedError
from onnxtile.ir.bounds import allowing
from onnxtile.verification.sessions import EngineError, guarded, onnxruntime_options, onnxruntime_session
from tests.support import parse

MODEL = '<ir_version: 10, opset_import: ["" : 20]> g (float[2] x) => (float[2] y) { y = Neg (x) }'


def test_a_model_runs() -> None:
    session = onnxruntime_session(parse(MODEL), onnxruntime_options())
    (got,) = session.run(None, {"x": np.float32([1, -2])})
    assert got.tolist() == [-1, 2]


def test_a_model_that_cannot_be_loaded_is_an_engine_error_in_one_line() -> None:
    broken = parse(MODEL)
    broken.graph.node[0].op_type = "Nonesuch"
    with pytest.raises(EngineError, match=r"^onnxruntime: \w+: ") as raised:
        onnxruntime_session(broken, onnxruntime_options())
    assert "\n" not in str(raised.value)


def test_any_exception_of_an_engine_is_said_with_its_type() -> None:
    def action() -> None:
        raise ZeroDivisionError("by\n0")

    with pytest.raises(EngineError, match="^engine: ZeroDivisionError: by 0$"):
        guarded("engine", action)


def test_sparse_weights_have_a_bound() -> None:
    model = parse(MODEL)
    values = onnx.helper.make_tensor("s", onnx.TensorProto.FLOAT, [1], [1.0])
    indices = onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [1000]))
    with allowing({"sparse-bytes": 100}), pytest.raises(UnsupportedError, match="come to 4,000 bytes"):
        onnxruntime_session(model, onnxruntime_options())
