"""Both sides of each size at which verifying, capturing, profiling or reducing does another thing.

`tests/thresholds.py` lists all such sizes, with the tests that stand on both sides of each.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.ir import arrays, bounds
from onnxtile.ir.bounds import allowing
from onnxtile.verification import (
    arguments,
    engines,
    inputs,
    opened,
)
from onnxtile.verification import certificate as record
from tests.support import make, matmul, parse, whole

F32 = np.dtype(np.float32)
HEAD = """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>"""
LIMITS = (2, 3, 4)


def product() -> onnx.ModelProto:
    return matmul([3, 4], [4, 5], [3, 5], opset=18)


# verify


def test_models_that_go_to_one_engine_first_and_those_that_go_to_the_other() -> None:
    assert engines.preferred(engines.MANY_NODES - 1)[0] == "onnxruntime"
    assert engines.preferred(engines.MANY_NODES)[0] == "onnx.reference"


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_weights_that_are_compared_at_once_and_in_chunks(more: int) -> None:
    assert opened.CHUNK == 1 << 24
    for shape in ([opened.CHUNK + more], [4, opened.CHUNK // 4 + more]):
        one, other = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        assert opened.same_bits(one, other)
        other.flat[-1] = 1
        assert not opened.same_bits(one, other)


def test_numbers_that_are_made_up_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """2^29 numbers take gigabytes: 12 stand for them."""
    assert inputs.MOST_ELEMENTS == 1 << 29
    model = product()
    lowered = onnxtile.lower(model, LIMITS)
    monkeypatch.setattr(inputs, "MOST_ELEMENTS", 12)
    assert onnxtile.verify(model, lowered, method="bound").equivalent
    monkeypatch.setattr(inputs, "MOST_ELEMENTS", 11)
    with pytest.raises(UnsupportedError, match="at most 11 numbers"):
        onnxtile.verify(model, lowered, method="bound")


@pytest.mark.parametrize("rank", [arrays.MOST_AXES, arrays.MOST_AXES + 1])
def test_inputs_of_as_many_axes_as_are_made_up_and_of_more(rank: int) -> None:
    value = ir.Value(name="x", shape=ir.Shape([1] * rank), type=ir.TensorType(ir.DataType.FLOAT))
    if rank > arrays.MOST_AXES:
        with pytest.raises(UnsupportedError, match=f"on {arrays.MOST_AXES} axes"):
            inputs._feed(value, "whole", np.random.default_rng(0), 100)
    else:
        assert inputs._feed(value, "whole", np.random.default_rng(0), 100).ndim == rank


def test_functions_of_as_many_choices_of_attributes_as_are_copied_and_of_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 copies would take seconds: 3 stand for them."""
    assert arguments.MOST_COPIES == 10_000
    called = " ".join(f"y{n} = local.f <s = {n}.0> (x, w)" for n in range(1, 4))
    model = parse(
        f"""{HEAD} g (float[3,4] x) => (float[3,5] y1, float[3,5] y2, float[3,5] y3) {{ {called} }}
        <domain: "local", opset_import: ["" : 18]> f <s> (a, b) => (c) {{ c = Gemm <alpha: float = @s> (a, b) }}""",
        w=whole([4, 5], F32, 1),
    )
    lowered = onnxtile.lower(model, LIMITS)
    monkeypatch.setattr(arguments, "MOST_COPIES", 3)
    assert onnxtile.verify(model, lowered).equivalent
    monkeypatch.setattr(arguments, "MOST_COPIES", 2)
    with pytest.raises(UnsupportedError, match="more than 2 choices of attributes"):
        onnxtile.verify(model, lowered)


@pytest.mark.parametrize("cases", [record.MOST_CASES, record.MOST_CASES + 1])
def test_certificates_of_as_many_cases_as_are_repeated_and_of_more(cases: int, tmp_path: Path) -> None:
    model = parse(f"{HEAD} g (float[3,4] x) => (float[3,4] y) {{ y = Neg (x) }}")
    for name in ("a", "b"):
        onnx.save(model, tmp_path / f"{name}.onnx")
    verdict = onnxtile.verify(tmp_path / "a.onnx", tmp_path / "b.onnx")
    record.write_certificate(tmp_path / "c.json", verdict, tmp_path / "a.onnx", tmp_path / "b.onnx", {})
    document = json.loads((tmp_path / "c.json").read_text())
    (tmp_path / "c.json").write_text(json.dumps(document | {"cases": cases}))
    if cases > record.MOST_CASES:
        with pytest.raises(ModelError, match=f"cases is {cases}, not 0 to {record.MOST_CASES}"):
            record.recheck(tmp_path / "c.json")
    else:
        assert record.recheck(tmp_path / "c.json").verdict is not None


def test_sparse_weights_as_large_as_are_written_out_and_larger() -> None:
    """2 GB of sparse-bytes take long: those of a small weight stand for them."""
    assert bounds.most("sparse-bytes") == 2 << 30
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [2.0])
    sparse = onnx.helper.make_sparse_tensor(values, onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [1], [3]), [8])
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [8]) for name in "xy"]
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    model = make(onnx.helper.make_graph([node], "g", info[:1], info[1:], sparse_initializer=[sparse]))
    with allowing({"sparse-bytes": 32}):
        assert onnxtile.capture(model, name="*", inputs={"x": np.ones(8, np.float32)})["y"][3] == 3
    with allowing({"sparse-bytes": 31}), pytest.raises(UnsupportedError, match="come to 32 bytes, more than 31"):
        onnxtile.capture(model, name="*", inputs={"x": np.ones(8, np.float32)})


# capture


# profile


# others
