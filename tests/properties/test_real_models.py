"""The main job on real networks, file to file, compared in an engine that isn't ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.verification import engines
from tests.support import ROOT, operators, parse, run_onnxruntime, run_reference

sys.path.insert(0, str(ROOT / "examples"))
import networks

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
ALEXNETS = [networks.alexnet, networks.bvlc_alexnet] if LONG else [networks.alexnet]
LIMITS, TILES = ("64,64,64", 14_336) if LONG else ("128,128,128", 3_584)


@pytest.mark.parametrize("build", ALEXNETS, ids=lambda build: build.__name__)
def test_alexnet_unrolled(build: Callable[[], onnx.ModelProto], tmp_path: Path) -> None:
    original, path = build(), tmp_path / "lowered.onnx"
    onnx.save(original, tmp_path / "original.onnx")
    report = onnxtile.lower(tmp_path / "original.onnx", LIMITS, ops="matmul", output=path)
    assert [row.status for row in report.contractions if row.op == "Gemm"] == ["tiled"] * 3
    lowered = onnx.load(path)
    assert operators(lowered).count("MatMul") == TILES
    assert onnxtile.check(path, LIMITS, ops="matmul").ok
    over = onnxtile.check(tmp_path / "original.onnx", LIMITS, ops="matmul").over
    assert [(row.m, row.k, row.n) for row in over] == [(1, 9216, 4096), (1, 4096, 4096), (1, 4096, 1000)]
    verdict = onnxtile.verify(tmp_path / "original.onnx", path)
    assert verdict.equivalent
    assert [(region.op, region.method) for region in verdict.regions] == [("Gemm", "exact")] * 3
    assert sum(region.tiles for region in verdict.regions) == TILES


@pytest.mark.parametrize("form", ["unrolled", "batched"] if LONG else ["batched"])
def test_alexnet_with_its_convolutions(form: str, tmp_path: Path) -> None:
    onnx.save(networks.alexnet(), tmp_path / "original.onnx")
    report = onnxtile.lower(tmp_path / "original.onnx", "64,64,64", form=form, output=tmp_path / "lowered.onnx")
    assert report.ok and onnxtile.check(tmp_path / "lowered.onnx", "64,64,64").ok
    verdict = onnxtile.verify(tmp_path / "original.onnx", tmp_path / "lowered.onnx")
    assert verdict.proven and len(verdict.regions) == 8


def test_alexnet_in_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    """About 2,000 nodes; the long profile takes 28,554, which takes onnxruntime ten seconds without optimizations."""
    monkeypatch.setattr(engines, "MANY_NODES", 1_000_000)
    original = networks.alexnet()
    verdict = onnxtile.verify(
        original, onnxtile.lower(original, "64,64,64" if LONG else "256,256,256", ops="matmul"), method="bound", cases=1
    )
    assert (verdict.equivalent, verdict.engine) == (True, "onnxruntime")
    assert verdict.outputs[0].max_abs_error > 0


@pytest.mark.parametrize("batch", [1, 3] if LONG else [3])
def test_mobilenet_with_its_dynamic_batch(batch: int) -> None:
    original = networks.mobilenet_v2()
    lowered = onnxtile.lower(original, "64,64,64", ops="matmul", bind={"batch_size": batch})
    assert onnxtile.check(lowered, "64,64,64", ops="matmul").ok
    (over,) = onnxtile.check(original, "64,64,64", ops="matmul").over
    assert (over.m, over.k, over.n) == ("batch_size", 1280, 1000)
    assert onnxtile.verify(original, lowered, bind={"batch_size": batch}).equivalent
    verdict = onnxtile.verify(original, lowered, method="bound", bind={"batch_size": batch}, cases=2)
    assert (verdict.equivalent, verdict.engine) == (True, "onnxruntime")
    assert verdict.outputs[0].max_abs_error > 0


@pytest.mark.parametrize(
    "how", [{}, {"form": "batched"}, {"accumulate": "tree"}, {"weights": "split", "accumulate": "sum"}], ids=str
)
def test_a_classifier_of_whole_numbers_is_bit_exact(how: dict[str, str]) -> None:
    rng = np.random.default_rng(0)
    weight, bias = (rng.integers(-2, 3, shape).astype(np.float32) for shape in ([1000, 4096], [1000]))
    original = parse(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[2,4096] x) => (float[2,1000] y) { [fc] y = Gemm <transB = 1> (x, w, c) }""",
        w=weight,
        c=bias,
    )
    feeds = {"x": rng.integers(-1, 2, (2, 4096)).astype(np.float32)}
    lowered = onnxtile.lower(original, "64,64,64", **how)
    for run in (run_reference, run_onnxruntime):
        np.testing.assert_array_equal(run(lowered, feeds)[0], run(original, feeds)[0])
