"""The profile, node by node: weights, bodies, memory, what is unknown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.errors import UsageError
from tests.support import matmul, parse

HEADER = '<ir_version: 10, opset_import: ["" : 21]>'


def model(text: str, **constants: np.ndarray) -> onnx.ModelProto:
    return parse(f"{HEADER} g {text}", **constants)


# weights


def test_weights_stay_in_the_file(tmp_path: Path) -> None:
    big = model("(float[4,512] x) => (float[4,512] y) { y = MatMul (x, W) }", W=np.ones((512, 512), np.float32))
    whole = onnxtile.profile(big)
    onnx.save(big, tmp_path / "inline.onnx")
    onnx.save(big, tmp_path / "external.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    found = [onnxtile.profile(tmp_path / name) for name in ("inline.onnx", "external.onnx")]
    assert found[0] == found[1] == whole
    assert found[0].totals.weight_bytes == 512 * 512 * 4
    (tmp_path / "weights").write_bytes(b"short")
    with pytest.raises(onnxtile.ModelError, match="bytes 0 to 1048576 of 'weights', which has 5"):
        onnxtile.profile(tmp_path / "external.onnx")


# bodies


# what is unknown


def test_conventions_that_nobody_knows_are_refused() -> None:
    with pytest.raises(UsageError, match="convention 'best' is unknown: take one of macs, ptflops"):
        onnxtile.profile(matmul([2, 2], [2, 2], [2, 2]), convention="best")


# memory


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_memory_does_not_grow_with_weights(tmp_path: Path) -> None:
    for width in (64, 4096):
        big = model("(float[4,n] x) => (float[4,n] y) { y = MatMul (x, W) }", W=np.ones((width, width), np.float32))
        onnx.save(big, tmp_path / f"{width}.onnx")
    code = f"""
import onnxtile
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
onnxtile.profile(r"{tmp_path / "64.onnx"}")
before = peak()
assert onnxtile.profile(r"{tmp_path / "4096.onnx"}").totals.weight_bytes == 4 * 4096**2
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4096  # kilobytes, of 65,536
