"""Test what is kept of a failure: versions, commands, and the model with its calls."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path

import onnx
import onnx_ir as ir

import onnxtile
from onnxtile.debugging import reproducer
from tests.support import matmul


def test_versions_are_those_that_run() -> None:
    versions = reproducer.versions()
    assert versions["onnxtile"] == onnxtile.__version__
    assert versions["python"] == platform.python_version()
    assert versions["onnx"] == version("onnx")
    assert set(versions) == {"onnxtile", "python", *reproducer.LIBRARIES}


def test_a_report_and_commands(tmp_path: Path) -> None:
    reproducer.write_report(tmp_path, {"pass": "Mine", "cuts": 3}, ["onnxtile run a", "onnxtile verify a b"])
    report = json.loads((tmp_path / reproducer.REPORT).read_text())
    assert (report["pass"], report["cuts"], report["versions"]) == ("Mine", 3, reproducer.versions())
    assert (tmp_path / reproducer.COMMAND).read_text() == "onnxtile run a\nonnxtile verify a b\n"


def test_commands_have_the_bytes_of_paths(tmp_path: Path) -> None:
    reproducer.write_report(tmp_path, {"error": "\udcff"}, ["onnxtile run \udcff名"])
    assert (tmp_path / reproducer.COMMAND).read_bytes() == b"onnxtile run \xff" + "名\n".encode()
    assert json.loads((tmp_path / reproducer.REPORT).read_bytes())["error"] == "\udcff"


def test_a_model_keeps_its_calls(tmp_path: Path) -> None:
    lowered = onnxtile.lower(ir.from_proto(matmul([8, 8], [8, 8], [8, 8])), (4, 4, 4), form="function")
    reproducer.write_model(lowered, tmp_path / "model.onnx")
    written = onnx.load(tmp_path / "model.onnx")
    assert [node.domain for node in written.graph.node] == ["onnxtile"]
    assert len(written.functions) == 1
