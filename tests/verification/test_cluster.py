"""Test that what a cluster's workers find in files is what is found here."""

from __future__ import annotations

import pickle
from pathlib import Path

import onnx
import pytest

import onnxtile
from onnxtile.errors import ModelError, UsageError
from onnxtile.exploration.workers import in_this_process
from onnxtile.verification import cluster
from onnxtile.verification.cluster import Cluster, judge_part
from onnxtile.verification.facts import Shapes, bare
from onnxtile.verification.opened import open_model
from onnxtile.verification.pairing import pair
from onnxtile.verification.regions import Judge
from onnxtile.verification.verify import verify
from tests.support import parse

MODEL = """<ir_version: 10, opset_import: ["" : 20]> g (float[4,4] x) => (float[4,4] y)
    { a = MatMul (x, x)  b = MatMul (a, a)  c = Relu (b)  d = Transpose (c)  y = MatMul (d, c) }"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    onnx.save(parse(MODEL), tmp_path / "a.onnx")
    onnxtile.lower(tmp_path / "a.onnx", (2, 2, 2), output=tmp_path / "b.onnx")
    return tmp_path / "a.onnx", tmp_path / "b.onnx"


def elsewhere(function, jobs):  # type: ignore[no-untyped-def]
    """As another process has it: everything goes there and back as bytes."""
    for number, job in enumerate(jobs):
        cluster._paired.cache_clear()
        yield number, pickle.loads(pickle.dumps(function(pickle.loads(pickle.dumps(job)))))


def test_findings_are_those_of_this_process(files: tuple[Path, Path]) -> None:
    original, lowered = map(open_model, files)
    judge, regions = Judge(original, lowered, 5), pair(original, lowered).regions
    facts = Shapes(bare(original.proto), {}).first({})
    assert facts is not None
    found = Cluster.of(elsewhere, *files).judged(judge, regions, facts, frozenset())
    assert [id(region) in found for region in regions] == [True, False, True]
    for region in (regions[0], regions[2]):
        assert vars(found[id(region)]) == vars(judge.at(region, facts))


def test_the_verdict_is_the_same_and_a_difference_is_found(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    class Given:
        def __init__(self, count: int | None, on: str) -> None:
            asked.append((count, on))

        def __enter__(self):  # type: ignore[no-untyped-def]
            return in_this_process

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("onnxtile.verification.cluster.cluster_workers", Given)
    here, there = verify(*files, seed=3), verify(*files, seed=3, workers=2, on="dask")
    assert asked == [(2, "dask")]
    assert there == here and here.proven
    wrong = onnx.load(files[1])
    next(node for node in wrong.graph.node if node.op_type == "Add").op_type = "Sub"
    onnx.save(wrong, files[1])
    assert not verify(*files, on="dask").equivalent


def test_other_files_than_those_that_were_asked_about(files: tuple[Path, Path]) -> None:
    parts: list[cluster.Part] = []

    def keeps(function, jobs):  # type: ignore[no-untyped-def]
        parts.extend(jobs)
        return iter(())

    original, lowered = map(open_model, files)
    facts = Shapes(bare(original.proto), {}).first({})
    assert facts is not None
    regions = pair(original, lowered).regions
    Cluster.of(keeps, *files).judged(Judge(original, lowered, 5), regions, facts, frozenset())
    onnx.save(onnx.load(files[0]), files[1])
    cluster._paired.cache_clear()
    with pytest.raises(ModelError, match=r"b.onnx isn't the same file for all workers"):
        judge_part(parts[0])


def test_what_a_cluster_does_not_take(files: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="models are files that all workers see; give paths"):
        Cluster.of(in_this_process, onnx.load(files[0]), files[1])
    with pytest.raises(UsageError, match="method bound runs whole models here: leave --on out"):
        verify(*files, method="bound", on="dask")
    with pytest.raises(UsageError, match="write dask://HOST:PORT"):
        verify(*files, on="host:1")
