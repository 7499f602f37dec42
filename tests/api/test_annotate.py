"""`annotate` in Python: the model comes back in its kind, or the file is written."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

import onnxtile
from tests.support import matmul


def costs(model: onnx.ModelProto) -> list[str]:
    return [pair.value for node in model.graph.node for pair in node.metadata_props if pair.key == "onnxtile.macs"]


def test_the_same_kind_comes_back_and_the_model_stays(tmp_path: Path) -> None:
    model = matmul([6, 9], [9, 10], [6, 10])
    onnx.save(model, tmp_path / "m.onnx")
    annotated = onnxtile.annotate(model)
    assert costs(annotated) == ["540"]
    assert costs(model) == []
    assert costs(onnxtile.annotate(tmp_path / "m.onnx")) == ["540"]
    assert costs(ir.to_proto(onnxtile.annotate(ir.from_proto(model)))) == ["540"]
    assert onnxtile.annotate(annotated, clear=True) == model


def test_a_file_is_written_and_counted(tmp_path: Path) -> None:
    model = matmul([6, 9], [9, 10], [6, 10])
    written = onnxtile.annotate(model, output=tmp_path / "a.onnx")
    assert (written.nodes, written.unknown, written.changed) == (1, 0, True)
    assert costs(onnx.load(tmp_path / "a.onnx")) == ["540"]
