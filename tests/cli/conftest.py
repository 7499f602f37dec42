"""Models that tests of several commands are called with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from tests.support import matmul, parse


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(matmul([8, 8], [8, 8], [8, 8]), path)
    return path


@pytest.fixture(scope="session")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two layers, and the same lowered."""
    folder = tmp_path_factory.mktemp("profile")
    weights = {"V": np.ones((8, 12), np.float32), "W": np.ones((12, 4), np.float32)}
    text = """<ir_version: 10, opset_import: ["" : 20]> g (float[batch,8] x) => (float[batch,4] y) {
        ["net/first/product"] a = MatMul (x, V) ["net/first/relu"] b = Relu (a)
        ["net/second/product"] y = MatMul (b, W) }"""
    onnx.save(parse(text, **weights), folder / "net.onnx")
    onnx.save(matmul([4, 16], [16, 8], [4, 8]), folder / "one.onnx")
    onnxtile.lower(folder / "one.onnx", (4, 8, 8), output=folder / "lowered.onnx")
    return folder
