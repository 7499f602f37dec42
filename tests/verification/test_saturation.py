"""Processors on which onnxruntime's 8-bit products saturate: they're found, and judged by onnx.reference there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from onnxtile.operators.table import PRODUCTS
from onnxtile.verification.engines import ENGINES, preferred, reference_runner
from onnxtile.verification.integers import product
from onnxtile.verification.saturation import EIGHT_BIT, SATURATES, holds_8_bit_products, saturates
from tests.support import ROOT, matmul, parse, run_onnxruntime

WARNING = "onnxruntime saturates 8-bit products on this processor; judged by onnx.reference"
FLOATS = {
    "Attention", "DynamicSparseAttention", "EPContext", "Einsum", "GroupQueryAttention",
    "MatMulBlockQuantizedFp4Weight", "MatMulBnb4", "MatMulFpQ4", "MatMulNBits", "MatMulNBitsMlp", "MatMulNBitsQLoRA",
    "MatMulNBitsQkv", "MatMulPacked", "MoEPacked", "PagedAttention", "Snpe", "SparsePagedAttention",
}  # fmt: skip
"""Operators that take bytes, for a mask, a cache or packed weights, and multiply floats (or integers, if asked to)."""
IN_ANOTHER_PROCESS = """
import sys
import numpy as np, onnx
import onnxtile
from onnxtile.cli.app import main
model, folder = onnx.load(sys.argv[1]), sys.argv[2]
b = onnx.numpy_helper.to_array(model.graph.initializer[0])
a = np.random.default_rng(0).integers(0, 256, (5, 67)).astype(np.uint8)
captured = onnxtile.capture(model, op="MatMulInteger", inputs={"a": a})
assert (captured["y"] == a.astype(int) @ b.astype(int)).all()
(warning,) = captured.report.warnings
assert warning == "onnxruntime saturates 8-bit products on this processor; computed by onnx.reference"
lowered = onnxtile.lower(model, (2, 16, 8))
assert onnxtile.verify(model, lowered).equivalent  # no engine is asked
verdict = onnxtile.verify(model, lowered, method="bound")
assert (verdict.equivalent, verdict.engine) == (True, "onnx.reference"), verdict
assert verdict.to_json()["warnings"] == list(verdict.warnings) and len(verdict.warnings) == 1
spoiled = onnx.ModelProto()
spoiled.CopyFrom(lowered)
tile = next(each for each in spoiled.graph.initializer if len(each.dims) == 2)
tile.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tile) + np.int8(1), tile.name))
assert not onnxtile.verify(model, spoiled).equivalent
assert onnxtile.reduce(model, "infer-shapes,tile-matmul{max=2,16,8}") is None
sys.argv[1:] = ["lower", sys.argv[1], "--max", "2,16,8", "--verify", "-o", folder + "/out.onnx"]
main()
"""


def integer_product() -> onnx.ModelProto:
    b = np.random.default_rng(1).integers(-128, 128, (67, 9)).astype(np.int8)
    return parse(
        '<ir_version: 8, opset_import: ["" : 13]> g (uint8[5,67] a) => (int32[5,9] y) { y = MatMulInteger (a, b) }', b=b
    )


def test_on_a_processor_where_they_saturate_the_reference_decides(tmp_path: Path) -> None:
    onnx.save(integer_product(), tmp_path / "model.onnx")
    places = [str(ROOT / "tests" / "saturating"), str(ROOT)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / "model.onnx"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    said = (done.stdout + done.stderr).splitlines()
    assert any(line.startswith("equivalent") for line in said)


def test_where_they_are_exact_nothing_is_said() -> None:
    model = integer_product()
    if saturates():
        assert preferred(1, model) == ["onnx.reference"]
        return
    assert preferred(1, model) == list(ENGINES)
    a = np.random.default_rng(0).integers(0, 256, (5, 67)).astype(np.uint8)
    wanted = product(a, onnx.numpy_helper.to_array(model.graph.initializer[0]))
    np.testing.assert_array_equal(ENGINES["onnxruntime"](model)({"a": a})[0], wanted)


def test_floats_are_onnxruntime_s_on_every_processor() -> None:
    assert preferred(1, matmul([2, 2], [2, 2], [2, 2])) == list(ENGINES)


def takes_bytes(schema: Any) -> bool:
    types = {each.type_param_str: each.allowed_type_strs for each in schema.type_constraints}
    taken = [types.get(each.typeStr, [each.typeStr]) for each in schema.inputs]
    return any(name in ("tensor(int8)", "tensor(uint8)") for names in taken for name in names)


def test_every_operator_that_multiplies_bytes_is_known() -> None:
    schemas = {("" if each.domain == "ai.onnx" else each.domain, each.name): each for each in get_all_operator_schema()}
    able = {key for key, schema in schemas.items() if key in PRODUCTS and takes_bytes(schema)}
    assert {op for _, op in able - EIGHT_BIT} <= FLOATS
    assert PRODUCTS.keys() >= EIGHT_BIT


INSIDE = {
    "in a branch": """<ir_version: 8, opset_import: ["" : 13]> g (bool c, uint8[2,3] a, int8[3,2] b) => (y) {
        y = If (c) <then_branch = t () => (int32[2,2] z) { z = MatMulInteger (a, b) },
                    else_branch = e () => (int32[2,2] v) { v = MatMulInteger (a, b) }> }""",
    "in a function": """<ir_version: 8, opset_import: ["" : 13, "f" : 1]>
        g (uint8[2,3] a, int8[3,2] b) => (int32[2,2] y) { y = f.product (a, b) }
        <domain: "f", opset_import: ["" : 13]> product (a, b) => (y) { y = MatMulInteger (a, b) }""",
    "under the long name of the domain": """<ir_version: 8, opset_import: ["" : 13]>
        g (uint8[2,3] a, int8[3,2] b) => (int32[2,2] y) { y = ai.onnx.MatMulInteger (a, b) }""",
    "packed, in integers": """<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
        g (float[2,16] a, uint8[4,1,8] b, float[4] s) => (float[2,4] y) {
        y = com.microsoft.MatMulNBits <K = 16, N = 4, bits = 4, block_size = 16, accuracy_level = 4> (a, b, s) }""",
}  # fmt: skip


@pytest.mark.parametrize("text", INSIDE.values(), ids=INSIDE)
def test_products_are_found_in_every_place(text: str) -> None:
    assert holds_8_bit_products(onnx.parser.parse_model(text))
    assert not holds_8_bit_products(
        onnx.parser.parse_model(text.replace("Integer", "").replace("_level = 4", "_level = 1"))
    )


OWN = {
    "QGemm": ("a, as, az, b, bs, bz, c, ys, yz", "<transB = 1, alpha = 0.5>", "uint8"),
    "MatMulIntegerToFloat": ("a, b, as, bs, az, bz, f", "", "float"),
    "DynamicQuantizeMatMul": ("x, b, bs, bz, f", "", "float"),
    "QLinearMatMul": ("a, as, az, b, bs, bz, ys, yz", "", "uint8"),
}


@pytest.mark.parametrize("op", OWN)
def test_numpy_computes_them_as_onnxruntime_does(op: str) -> None:
    """Hold integers against onnxruntime where it's right; elsewhere both sides are numpy's, with nothing to compare."""
    random = np.random.default_rng(3)
    names, attributes, kind = OWN[op]
    domain = "" if op == "QLinearMatMul" else "com.microsoft."
    inputs = "float[5,33] x" if op.startswith("Dynamic") else "uint8[5,33] a"
    b = random.integers(-128, 128, (7, 33)).astype(np.int8)
    arrays = {
        "as": np.float32(0.037), "az": np.uint8(119), "b": b if op == "QGemm" else b.T.copy(), "bs": np.float32(0.011),
        "bz": np.int8(-3), "c": random.integers(-999, 999, 7).astype(np.int32), "ys": np.float32(0.73),
        "yz": np.uint8(131), "f": random.normal(size=7).astype(np.float32),
    }  # fmt: skip
    used = {name: np.asarray(array) for name, array in arrays.items() if name in names.split(", ")}
    model = parse(
        f"""<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
        g ({inputs}) => ({kind}[5,7] y) {{ y = {domain}{op} {attributes} ({names}) }}""", **used
    )  # fmt: skip
    fed = {
        "x": random.normal(size=(5, 33)).astype(np.float32), "a": random.integers(0, 256, (5, 33)).astype(np.uint8)
    }  # fmt: skip
    feeds = {each.name: fed[each.name] for each in model.graph.input}
    (ours,), (theirs,) = reference_runner(model)(feeds), run_onnxruntime(model, feeds, optimize=False)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_zero_points_of_rows_and_columns() -> None:
    a, b = np.array([[200, 3], [5, 7]], np.uint8), np.array([[-128, 1], [2, 127]], np.int8)
    rows, columns = np.array([1, 2], np.uint8), np.array([-1, 3], np.int8)
    wanted = (a.astype(int) - [[1], [2]]) @ (b.astype(int) - [[-1, 3]])
    np.testing.assert_array_equal(product(a, b, rows, columns), wanted)
    assert SATURATES in WARNING


def test_onnxruntime_is_spoiled_only_where_that_was_asked_for() -> None:
    """Collecting doctests imports all modules below `tests`: the one that spoils onnxruntime isn't to be among them."""
    assert getattr(onnxruntime, "spoiled", False) == (os.environ.get("ONNXTILE_TEST_SATURATES") == "1")
