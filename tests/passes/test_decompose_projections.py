"""Several products by packed weights lowered: right by numpy, proven, or refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, numpy_helper

import onnxtile
from onnxtile.operators.block_packing import Blocks, pack
from onnxtile.passes import DecomposeProjections
from tests.decomposed import is_refused, one_node
from tests.support import loads, run_onnxruntime, whole

K, BLOCK = 64, 32
F32 = np.dtype(np.float32)
WIDTHS = {"MatMulNBitsMlp": {"gate": 6, "up": 6}, "MatMulNBitsQkv": {"q": 6, "k": 4, "v": 4}}


def projections(
    op_type: str, norm: bool = True, skip: bool = False, bias: bool = True, total: bool = False, **attributes: Any
) -> onnx.ModelProto:
    """The node fc, of K = 64, whose scales are powers of two."""
    rng, widths = np.random.default_rng(1), WIDTHS[op_type]
    inputs: dict[str, Any] = {"A": [5, K], "skip": [5, K] if skip else None}
    inputs["scale"] = np.exp2(rng.integers(-1, 2, K)).astype(F32) if norm else None
    for part, n in widths.items():
        codes = rng.integers(0, 16, (n, K // BLOCK, BLOCK)).astype(np.uint8)
        inputs |= {f"{part}_B": pack(codes, 4), f"{part}_scales": np.exp2(rng.integers(-3, 0, (n, 2))).astype(F32)}
        inputs[f"{part}_bias"] = whole([n], F32, n) if bias else None
    names = ["Y"] if op_type == "MatMulNBitsMlp" else ["Q", "K", "V"]
    outputs = dict.fromkeys([*names, *["sum"] * total], (TensorProto.FLOAT, 2))
    sizes = {"N": 6, "activation": "silu"} if op_type == "MatMulNBitsMlp" else {"Nq": 6, "Nkv": 4}
    attributes = {"K": K, "block_size": BLOCK, **sizes, **attributes}
    return one_node(op_type, inputs, outputs, "com.microsoft", 21, **attributes)


def by_hand(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return what onnxruntime's documentation says, in numpy."""
    tensors = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    op_type = model.graph.node[0].op_type
    x = total = feeds["A"] + feeds.get("skip", np.float32(0))
    if "scale" in tensors:
        epsilon = 1e-5 if op_type == "MatMulNBitsMlp" else 1e-6
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(epsilon)) * tensors["scale"]
    made = []
    for part, n in WIDTHS[op_type].items():
        packed, scales = (ir.Tensor(tensors[f"{part}_{name}"]) for name in ("B", "scales"))
        weights = Blocks(K, n, 4, BLOCK, packed, scales, None).numbers().numpy()
        made.append(x @ weights + tensors.get(f"{part}_bias", np.float32(0)))
    if op_type == "MatMulNBitsMlp":
        gate, up = made
        made = [gate / (1 + np.exp(-gate)) * up]
    return [*made, *[total] * (len(model.graph.node[0].output) > len(made))]


@pytest.mark.parametrize("op_type", WIDTHS)
@pytest.mark.parametrize(("skip", "total"), [(False, False), (True, True)])
@pytest.mark.parametrize(("form", "limits"), [("unrolled", (2, 32, 4)), ("batched", (2, 10, 4)), ("loop", (2, 10, 4))])
def test_products_are_lowered(op_type: str, skip: bool, total: bool, form: str, limits: tuple[int, int, int]) -> None:
    model = projections(op_type, skip=skip, total=total)
    feeds = {name: whole([5, K], F32, seed) for name, seed in (("A", 2), ("skip", 3)) if skip or name == "A"}
    lowered = onnxtile.lower(model, limits, ops="all", form=form)  # type: ignore[call-overload]
    assert onnxtile.check(lowered, limits, ops="all").ok
    if loads(lowered):
        for got, want in zip(run_onnxruntime(lowered, feeds), by_hand(model, feeds), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    assert [region.status for region in onnxtile.verify(model, lowered).regions if region.op == op_type] == ["proven"]


def test_without_a_norm_and_biases() -> None:
    model = projections("MatMulNBitsMlp", norm=False, bias=False)
    lowered = onnxtile.lower(model, (2, 10, 4), ops="all", form="batched")
    feeds = {"A": whole([5, K], F32, 2)}
    np.testing.assert_allclose(run_onnxruntime(lowered, feeds)[0], by_hand(model, feeds)[0], rtol=1e-4, atol=1e-4)
    assert [region.status for region in onnxtile.verify(model, lowered).regions] == ["proven"]


def test_an_epsilon_that_is_lost_is_seen() -> None:
    model = projections("MatMulNBitsQkv", epsilon=0.5)
    lowered = onnxtile.lower(projections("MatMulNBitsQkv"), (2, 10, 4), ops="all", form="batched")
    assert not onnxtile.verify(model, lowered).equivalent


REFUSED = [
    (projections("MatMulNBitsMlp", activation="gelu"), "activation is 'gelu'"),
    (projections("MatMulNBitsMlp", norm=False, skip=True), "no norm_scale"),
    (projections("MatMulNBitsQkv", block_size=48), "block_size 48"),
    (projections("MatMulNBitsQkv", Nq=7), "of Q, B has the shape"),
]


@pytest.mark.parametrize(("model", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_written_out_is_refused(model: onnx.ModelProto, words: str) -> None:
    is_refused(model, words)


def test_none_given_writes_every_one_out() -> None:
    found = ir.from_proto(projections("MatMulNBitsQkv"))
    assert DecomposeProjections()(found).modified
    assert [node.op_type for node in found.graph].count("MatMulNBits") == 3
