"""Models after passes, as files that run."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.debugging.instruments.dump_after import DumpAfter
from onnxtile.errors import UsageError
from onnxtile.passes.manager import PassManager
from tests.planted import GOOD, network


def test_dumps_are_models_that_run(tmp_path: Path) -> None:
    PassManager(GOOD, instruments=[DumpAfter("all", tmp_path / "dumps")])(ir.from_proto(network()))
    files = sorted((tmp_path / "dumps").iterdir())
    assert [path.name for path in files] == ["01-infer-shapes.onnx", "02-decompose-gemm.onnx", "03-tile-matmul.onnx"]
    assert all(onnxtile.verify(network(), path).equivalent for path in files)
    assert onnx.load(files[2]).functions
    PassManager(GOOD, instruments=[DumpAfter("decompose-gemm", tmp_path / "one")])(ir.from_proto(network()))
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["02-decompose-gemm.onnx"]


def test_dumps_stay_in_their_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "dumps", tmp_path / "outside.onnx"
    folder.mkdir()
    outside.write_bytes(b"old")
    (folder / "01-infer-shapes.onnx").symlink_to(outside)
    with pytest.raises(UsageError, match="is a link, perhaps out of its folder"):
        PassManager(GOOD, instruments=[DumpAfter("all", folder)])(ir.from_proto(network()))
    assert outside.read_bytes() == b"old"
    with pytest.raises(UsageError, match="dumps go to a folder, and .*outside.onnx isn't one"):
        DumpAfter("all", outside)
    with pytest.raises(UsageError, match="doesn't exist; make"):
        DumpAfter("all", tmp_path / "a" / "b")


def test_a_dump_after_a_pass_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    model = ir.from_proto(network())
    with pytest.raises(UsageError, match="no pass 'fold' in the pipeline to dump after: it has infer-shapes, decompo"):
        PassManager(GOOD, instruments=[DumpAfter("fold", tmp_path / "dumps")])(model)
    assert ir.to_proto(model) == ir.to_proto(ir.from_proto(network()))
    assert list(tmp_path.iterdir()) == []
