"""Values of every type come out of the engine bit for bit, those that numpy lacks among them."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

import onnxtile
from tests.debugging.capture.test_capture import HEAD
from tests.support import FLOAT, make, parse

NARROW = {
    "BFLOAT16": ml_dtypes.bfloat16, "FLOAT8E4M3FN": ml_dtypes.float8_e4m3fn, "FLOAT8E5M2": ml_dtypes.float8_e5m2,
    "INT4": ml_dtypes.int4, "UINT4": ml_dtypes.uint4, "FLOAT16": np.float16,
}  # fmt: skip


@pytest.mark.parametrize("kind", NARROW)
def test_types_that_numpy_lacks(tmp_path: Path, kind: str) -> None:
    """They come back as they are; a file holds their bits or numbers, says so, and can be fed again."""
    dtype = np.dtype(NARROW[kind])
    code = TensorProto.DataType.Value(kind)
    nodes = [
        helper.make_node("Cast", ["x"], ["q"], "narrow", to=code),
        helper.make_node("Cast", ["q"], ["y"], "wide", to=FLOAT),
    ]
    info = helper.make_tensor_value_info
    model = make(helper.make_graph(nodes, "g", [info("x", FLOAT, [5])], [info("y", FLOAT, [5])]), 21)
    x = np.array([0 if kind == "UINT4" else -3, 1, 2, 3, 5], np.float32)
    (q,) = onnxtile.capture(model, name="narrow", inputs={"x": x}).values()
    assert q.dtype == dtype
    np.testing.assert_array_equal(q, x.astype(dtype))
    report = onnxtile.capture(model, name="narrow", inputs={"x": x}, output=tmp_path / "v.npz")
    (value,) = report.values
    assert (value.dtype, value.min, value.max) == (str(dtype), x[0], 5)
    assert value.first == (str(int(x[0])), "1", "2")
    assert value.bytes == (3 if "INT4" in kind else 5 * dtype.itemsize)
    stored = np.load(tmp_path / "v.npz")["q"]
    assert value.stored == {
        "BFLOAT16": "bits in uint16", "INT4": "numbers in int8", "UINT4": "numbers in uint8", "FLOAT16": None,
    }.get(kind, "bits in uint8")  # fmt: skip
    second = make(helper.make_graph([nodes[1]], "g", [info("q", code, ["n"])], [info("y", FLOAT, ["n"])]), 21)
    for each in (q, stored):
        np.testing.assert_array_equal(onnxtile.capture(second, name="wide", inputs={"q": each})["y"], x)


def test_text(tmp_path: Path) -> None:
    model = parse(
        f"""{HEAD} g (string[n] s, float[2] x) => (string[n] t, string[2] u) {{
            [same] t = Identity (s)  [spell] u = Cast <to = 8> (x) }}"""
    )
    fed = {"s": np.array(["a", "läng\nst", ""]), "x": np.array([1.5, np.inf], np.float32)}
    found = onnxtile.capture(model, name="*", inputs=fed)
    np.testing.assert_array_equal(found["t"], fed["s"])
    assert list(found["u"]) == ["1.5", "INF"]
    onnxtile.capture(model, name="*", inputs=fed, output=tmp_path / "t.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "t.npz")["t"], fed["s"])
    (row, _) = found.report.values
    assert (row.dtype, row.min, row.mean, row.nan) == ("string", None, None, 0)
    fed["s"] = np.array(["zero\0"], object)
    skipped = onnxtile.capture(model, name="*", inputs=fed).report.skipped
    assert [each.reason for each in skipped] == [
        "'t' holds text that ends in a zero byte, which arrays of text leave out"
    ]
