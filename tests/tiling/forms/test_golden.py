"""Test what lowering writes for the seed's small cases, node for node, as ONNX text.

`REFRESH_GOLDEN=1 pytest tests/tiling/forms/test_golden.py` writes the files anew; read their difference before it's
committed.
"""

from __future__ import annotations

import os

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.ir.io.load import from_proto
from onnxtile.passes import DecomposeGemm, InferShapes, TileMatMul
from onnxtile.tiling.limits import Limits
from tests.support import ROOT, parse

GOLDEN = ROOT / "tests" / "tiling" / "forms" / "golden"
WAYS = {
    "unrolled": {},
    "unrolled_split_sum": {"weights": "split", "accumulate": "sum"},
    "batched": {"form": "batched"},
    "loop": {"form": "loop"},
    "function": {"form": "function"},
    "batched_split": {"form": "batched", "weights": "split"},
}


def gemm(m: int, k: int, n: int) -> onnx.ModelProto:
    """The seed's case: a Gemm with a transposed weight and a bias."""
    rng = np.random.default_rng(0)
    return parse(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        seed (float[{m},{k}] x) => (float[{m},{n}] y) {{ [fc] y = Gemm <transB = 1> (x, w, c) }}""",
        w=rng.integers(-3, 4, [n, k]).astype(np.float32),
        c=rng.integers(-3, 4, [n]).astype(np.float32),
    )


def text(model: onnx.ModelProto) -> str:
    """The model as text, initializers without their numbers; names of nodes and provenance are left out."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    described = {value.name for value in copy.graph.value_info}
    for tensor in (tensor for tensor in copy.graph.initializer if tensor.name not in described):
        copy.graph.value_info.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    del copy.graph.initializer[:]
    for node in (*copy.graph.node, *(node for function in copy.functions for node in function.node)):
        del node.metadata_props[:]
        node.name = ""
    return onnx.printer.to_text(copy) + "\n"


def compare(name: str, found: str) -> None:
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("REFRESH_GOLDEN"):
        file.write_text(found)
    assert found == file.read_text()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(32, 64, 128), (128, 128, 128)], ids=str)
def test_the_seeds_cases(size: tuple[int, int, int], way: str) -> None:
    lowered = onnxtile.lower(gemm(*size), "64,64,64", **WAYS[way])  # type: ignore[arg-type]
    compare(f"{'x'.join(map(str, size))}_{way}", text(lowered))


def test_the_compact_form() -> None:
    model = from_proto(gemm(128, 128, 128))
    limits = Limits(64, 64, 64)
    for each in (InferShapes(), DecomposeGemm(limits), TileMatMul(limits)):
        each(model)
    compare("128x128x128_compact", text(ir.to_proto(model)))
