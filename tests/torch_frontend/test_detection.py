"""Models of torch are told from models of ONNX by their names and classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.torch_frontend.detection import is_torch
from tests.support import matmul


@pytest.mark.parametrize(
    ("name", "torch_s"),
    [
        ("net.pt", True),
        ("folder/net.pt2", True),
        (Path("net.pth"), True),
        ("my.module:build", True),
        ("net.onnx", False),
        ("net", False),
        (r"C:\nets\net.onnx", False),
        ("a:b:c", False),
        (np.zeros(1), False),
        (onnx.ModelProto(), False),
    ],
)
def test_kinds(name: object, torch_s: bool) -> None:
    assert is_torch(name) is torch_s


def test_a_file_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(matmul([8, 8], [8, 8], [8, 8]), "net:v1")
    assert not is_torch("net:v1")
    assert onnxtile.profile("net:v1").totals.macs == 512
