"""Test where weights go and how the data file is named: a loadable pair, never over another file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.lowering import lower as lowering
from onnxtile.lowering import model_file as saving
from onnxtile.lowering.options import LoweringOptions
from tests.lowering.test_weight_stream import F32, LIMITS, model
from tests.support import matmul, run_reference, whole

FEEDS = {"x": whole([8, 64], F32, 9), "i": np.array([0, 7, 49])}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", ["unrolled", "batched", "function"])
def test_on_request(tmp_path: Path, form: str) -> None:
    onnxtile.lower(model(), LIMITS, output=tmp_path / "o.onnx", form=form, external_data=True, align_data=4096)
    (data,) = (name for name in names(tmp_path) if name != "o.onnx")
    assert data.startswith("o.onnx.")
    onnx.checker.check_model(str(tmp_path / "o.onnx"))
    stubs = onnx.load(tmp_path / "o.onnx", load_external_data=False).graph.initializer
    outside = [tensor for tensor in stubs if tensor.data_location == onnx.TensorProto.EXTERNAL]
    places = [{entry.key: entry.value for entry in tensor.external_data} for tensor in outside]
    assert {place["location"] for place in places} == {data}
    assert all(int(place["offset"]) % 4096 == 0 for place in places)
    assert all(len(tensor.raw_data) <= 1024 for tensor in stubs if tensor not in outside)
    inline = onnxtile.lower(model(), LIMITS, form=form)
    loaded = onnx.load(tmp_path / "o.onnx")
    for tensor, other in zip(loaded.graph.initializer, inline.graph.initializer, strict=True):
        assert tensor.name == other.name
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), numpy_helper.to_array(other))
    for want, got in zip(run_reference(model(), FEEDS), run_reference(loaded, FEEDS), strict=True):
        np.testing.assert_array_equal(got, want)
    assert onnxtile.check(tmp_path / "o.onnx", LIMITS).ok


@pytest.mark.parametrize("weights", ["more than the model may have", "less, but not with all else"])
def test_by_itself_above_two_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str) -> None:
    inline = len(onnxtile.lower(model(), LIMITS).SerializeToString())
    raw = sum(len(tensor.raw_data) for tensor in model().graph.initializer)
    assert raw < inline - 10
    largest = raw - 1 if weights.startswith("more") else inline - 10
    monkeypatch.setattr(saving, "LARGEST", largest)  # a real one takes 2 GB of disk: benchmarks/scale.py
    onnxtile.lower(model(), LIMITS, output=tmp_path / "o.onnx")
    assert len(names(tmp_path)) == 2
    onnx.checker.check_model(str(tmp_path / "o.onnx"))


def test_too_many_nodes_for_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "LARGEST", 1000)
    with pytest.raises(UnsupportedError, match="passes protobuf's 2 GB by its nodes alone: take form batched"):
        onnxtile.lower(model(), LIMITS, output=tmp_path / "o.onnx")
    assert names(tmp_path) == []


def test_the_same_again_and_another_after_it(tmp_path: Path) -> None:
    output = tmp_path / "o.onnx"
    onnxtile.lower(model(), LIMITS, output=output, external_data=True)
    first, bytes_of_first = names(tmp_path), output.read_bytes()
    onnxtile.lower(model(), LIMITS, output=output, external_data=True)
    assert (names(tmp_path), output.read_bytes()) == (first, bytes_of_first)
    (tmp_path / "copy.onnx").write_bytes(bytes_of_first)
    onnxtile.lower(model(7), LIMITS, output=output, external_data=True)
    assert set(names(tmp_path)) > set(first)  # the copy still names the first data file
    (tmp_path / "copy.onnx").unlink()
    onnxtile.lower(model(7), LIMITS, output=output)
    assert names(tmp_path) == ["o.onnx"]


def test_another_file_of_the_name_is_left_alone(tmp_path: Path) -> None:
    output = tmp_path / "o.onnx"
    onnxtile.lower(model(), LIMITS, output=output, external_data=True)
    data = next(path for path in tmp_path.iterdir() if path.suffix == ".data")
    data.write_text("somebody's")
    output.unlink()
    with pytest.raises(UsageError, match="is there already and is another; move it, or give another output"):
        onnxtile.lower(model(), LIMITS, output=output, external_data=True)
    assert data.read_text() == "somebody's"
    assert names(tmp_path) == [data.name]


def test_a_failure_leaves_no_data_behind(tmp_path: Path) -> None:
    def fails() -> None:
        options = LoweringOptions.of(LIMITS, external_data=True)
        with lowering.lowering_to(model(), tmp_path / "o.onnx", options):
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fails()
    assert names(tmp_path) == []


def test_input_and_output_beside_data_of_their_own(tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "m.onnx", tmp_path / "else"
    elsewhere.mkdir()
    onnx.save_model(model(), source, save_as_external_data=True, location="m.data", size_threshold=0)
    for output in (tmp_path / "o.onnx", elsewhere / "o.onnx"):
        for external_data in (False, True):
            onnxtile.lower(source, LIMITS, output=output, external_data=external_data)
            onnx.checker.check_model(str(output))
            for want, got in zip(run_reference(model(), FEEDS), run_reference(onnx.load(output), FEEDS), strict=True):
                np.testing.assert_array_equal(got, want)


LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def test_a_kill_leaves_a_loadable_pair(tmp_path: Path) -> None:
    source, output = tmp_path / "m.onnx", tmp_path / "o.onnx"
    onnx.save(matmul([4, 512], [512, 2048], [4, 2048]), source)
    flags = ["--max", "16,16,16", "-o", str(output), "--external-data"]
    command = [sys.executable, "-m", "onnxtile", "lower", str(source), *flags]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    took, new = time.perf_counter() - begin, output.read_bytes()
    onnxtile.lower(model(), LIMITS, output=output, external_data=True)
    old, moments = output.read_bytes(), random.Random(0)
    for _ in range(20 if LONG else 2):
        onnxtile.lower(model(), LIMITS, output=output, external_data=True)
        running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(took * moments.uniform(0.5, 1.0))
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert output.read_bytes() in (old, new)
        onnx.checker.check_model(str(output))
        onnx.load(output)
