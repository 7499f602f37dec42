"""The proof by region: its numbers are exact in any order, it reaches every element, and it raises no false alarm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.verification.opened import same_bits
from onnxtile.verification.whole_numbers import WIDEST, capacity, magnitude, odd_numbers, share
from tests.properties.test_products import Case, gemms, matmuls
from tests.support import make, parse, run_onnxruntime, run_reference

F32 = np.dtype(np.float32)
INFO = helper.make_tensor_value_info
DTYPES = [
    ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.INT8,
    ir.DataType.UINT8, ir.DataType.INT32, ir.DataType.UINT32, ir.DataType.INT64, ir.DataType.UINT64,
]  # fmt: skip


@given(st.sampled_from(DTYPES), st.integers(1, WIDEST), st.lists(st.integers(0, 9), max_size=3), st.integers(0, 99))
def test_numbers_are_odd_and_within_their_magnitude(dtype: ir.DataType, most: int, shape: list[int], seed: int) -> None:
    room = most if dtype.is_integer() else min(most, int(capacity(dtype)))
    array = odd_numbers(np.random.default_rng(seed), tuple(shape), dtype, room)
    assert (array.dtype, list(array.shape)) == (dtype.numpy(), shape)
    whole = [int(each) for each in array.reshape(-1)]
    assert all(each % 2 == 1 and abs(each) <= room for each in whole)
    assert dtype.name.startswith("U") is False or all(each > 0 for each in whole)
    again = odd_numbers(np.random.default_rng(seed), tuple(shape), dtype, room)
    assert same_bits(array, again)


@pytest.mark.parametrize("most", [1, 3, 7, 100])
def test_all_odd_numbers_come_in_turn(most: int) -> None:
    array = odd_numbers(np.random.default_rng(0), (10_000,), ir.DataType.FLOAT, most)
    assert len(set(array.tolist())) > (most + 1) // 2
    assert 0.4 < (array > 0).mean() < 0.6


@given(st.sampled_from(DTYPES), st.integers(0, 1 << 40), st.integers(2, 4))
def test_the_magnitude_leaves_room_for_all_terms(dtype: ir.DataType, terms: int, operands: int) -> None:
    most = magnitude(capacity(dtype), terms, operands)
    assert 1 <= most <= WIDEST
    assert most == 1 or terms * most**operands <= capacity(dtype)
    assert most == WIDEST or max(terms, 1) * (most + 2) ** operands > capacity(dtype)


def test_the_capacity_is_the_last_exact_whole_number() -> None:
    for dtype in (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.FLOAT):
        numpy_type, last = dtype.numpy().type, capacity(dtype)
        assert int(numpy_type(last - 1)) == last - 1
        assert int(numpy_type(last)) == last
        assert int(numpy_type(last + 1)) != last + 1


@given(st.lists(st.integers(0, 6), max_size=3), st.integers(1, 9), st.integers(0, 99))
def test_each_element_has_its_turn_once(shape: list[int], parts: int, seed: int) -> None:
    array = odd_numbers(np.random.default_rng(seed), tuple(shape), ir.DataType.FLOAT, 7)
    turns = [share(array, part, parts, seed) for part in range(parts)]
    assert all(turn.dtype == array.dtype for turn in turns)
    np.testing.assert_array_equal(sum(turn != 0 for turn in turns), np.ones(shape))
    np.testing.assert_array_equal(np.sum(turns, axis=0), array)


LARGE = {ir.DataType.FLOAT16: 2048, ir.DataType.BFLOAT16: 256, ir.DataType.FLOAT: 50_000}
"""K up to which every term has room at once."""


@pytest.mark.parametrize("dtype", LARGE)
@pytest.mark.parametrize("tile", [None, 7, 64])
def test_sums_of_these_numbers_are_exact_in_both_engines(dtype: ir.DataType, tile: int | None) -> None:
    k = LARGE[dtype]
    most = magnitude(capacity(dtype), k, 2)
    a, b = (odd_numbers(np.random.default_rng(seed), shape, dtype, most) for seed, shape in enumerate(((2, k), (k, 3))))
    values = [INFO("a", dtype.value, a.shape), INFO("b", dtype.value, b.shape)], [INFO("y", dtype.value, [2, 3])]
    model = make(helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["y"], "p")], "g", *values))
    lowered = onnxtile.lower(model, (None, tile if tile is None or k < 5000 else tile * 64, None))
    wanted = a.astype(np.int64) @ b.astype(np.int64)
    for run in (run_reference, *([] if dtype == ir.DataType.BFLOAT16 else [run_onnxruntime])):
        (got,) = run(lowered, {"a": a, "b": b})
        np.testing.assert_array_equal(got.astype(np.int64), wanted)


def product(k: int, dtype: Any, weight: np.ndarray | None = None) -> onnx.ModelProto:
    """y [2, 3] = x [2, k] w [k, 3]; w is fed where it isn't given."""
    data = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    values = [INFO("x", data, [2, k]), INFO("w", data, [k, 3])]
    tensors = [] if weight is None else [numpy_helper.from_array(weight.astype(dtype), "w")]
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "p")
    graph = helper.make_graph([node], "g", values[: 2 - len(tensors)], [INFO("y", data, [2, 3])], tensors)
    return make(graph)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_sums_longer_than_the_type_has_room_for_take_turns(dtype: Any) -> None:
    """Each element of the first operand has its turn: more cases than asked for."""
    k = 3 * int(capacity(ir.DataType(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))))
    model = product(k, dtype)
    lowered = onnxtile.lower(model, (None, k // 4, None))
    (region,) = onnxtile.verify(model, lowered).regions
    assert (region.method, region.equivalent) == ("exact", True)
    assert region.cases >= 3
    for position in (0, k // 2, k - 1):
        (region,) = onnxtile.verify(model, ignoring(lowered, "x", (2, k), (0, position), dtype)).regions
        assert not region.equivalent


def ignoring(
    lowered: onnx.ModelProto, name: str, shape: tuple[int, ...], at: tuple[int, ...], dtype: Any
) -> onnx.ModelProto:
    """The lowered model with one element of a value, or of a constant, taken as zero, by a Mul with a mask."""
    model = onnx.ModelProto()
    model.CopyFrom(lowered)
    mask = np.ones(shape, dtype)
    mask[at] = 0
    for node in model.graph.node:
        node.input[:] = ["masked" if each == name else each for each in node.input]
    places = [index for index, node in enumerate(model.graph.node) if name in node.output]
    multiply = helper.make_node("Mul", [name, "mask"], ["masked"], "ignores")
    model.graph.node.insert(places[0] + 1 if places else 0, multiply)
    model.graph.initializer.append(numpy_helper.from_array(mask, "mask"))
    return model


WAYS: list[dict[str, Any]] = [
    {}, {"accumulate": "tree"}, {"accumulate": "sum", "weights": "split"}, {"pad_tiles": True}, {"max_fan_out": 2},
    {"form": "batched"}, {"form": "batched", "accumulate": "sum"},
]  # fmt: skip


@given(st.sampled_from(WAYS), st.booleans(), st.data())
def test_no_element_can_be_ignored(how: dict[str, Any], fed: bool, data: st.DataObject) -> None:
    """Whichever element of either operand, or of a tile of it, is taken as zero: verify says so."""
    weight = np.random.default_rng(0).standard_normal((7, 3)) + 5
    model = product(7, np.float32, None if fed else weight)
    lowered = onnxtile.lower(model, (2, 3, 2), **how)
    typed = onnx.shape_inference.infer_shapes(lowered, data_prop=True).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in typed.initializer if tensor.data_type == 1}
    shapes |= {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*typed.input, *typed.value_info)
        if value.type.tensor_type.elem_type == 1
    }
    name = data.draw(st.sampled_from(sorted(name for name, shape in shapes.items() if shape and 0 not in shape)))
    at = tuple(data.draw(st.integers(0, size - 1)) for size in shapes[name])
    wrong = ignoring(lowered, name, shapes[name], at, np.float32)
    x, w = np.random.default_rng(1).standard_normal((2, 7)).astype(F32) + 3, weight.astype(F32)
    feeds = {"x": x, "w": w} if fed else {"x": x}
    same = np.array_equal(run_reference(wrong, feeds)[0], run_reference(lowered, feeds)[0])
    assume(not same)  # padding is zero already
    assert not onnxtile.verify(model, wrong).equivalent


def proven(case: Case, seed: int) -> None:
    lowered = onnxtile.lower(case.model, case.limits, **case.how)
    verdict = onnxtile.verify(case.model, lowered, seed=seed, workers=1)
    assert verdict.equivalent, verdict
    assert [region.method for region in verdict.regions] == ["exact"] * len(verdict.regions), verdict


@given(matmuls(), st.integers(0, 1 << 30))
def test_a_matmul_lowered_is_proven_exactly(case: Case, seed: int) -> None:
    proven(case, seed)


@given(gemms(), st.integers(0, 1 << 30))
def test_a_gemm_lowered_is_proven_exactly(case: Case, seed: int) -> None:
    proven(case, seed)


GEMM = """<ir_version: 10, opset_import: ["" : 20]> g (TYPE[4,8] a) => (TYPE[4,4] y) {
    TURN [p] y = Gemm <alpha = ALPHA, beta = BETA> (a, b, READ) }"""
BIASES = {
    "zeros": np.zeros((4, 4)), "all alike": np.full((4, 4), 7), "one number": np.array(7), "a row": np.arange(4),
    "symmetric": np.add.outer(np.arange(4), np.arange(4)), "any": np.arange(16).reshape(4, 4),
}  # fmt: skip


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("dtype", ["float", "float16", "int32"])
@pytest.mark.parametrize("factors", [("1.0", "3.0"), ("2.0", "2.0"), ("0.3", "0.3"), ("0.0", "3.0")])
def test_biases_that_could_come_from_anywhere_raise_no_alarm(bias: str, dtype: str, factors: tuple[str, str]) -> None:
    """Zeros are any multiple of themselves, a symmetric constant is transposed or not; factors may be alike."""
    if dtype == "int32" and factors[0] == "0.3":
        factors = ("1.0", "1.0")
    numpy_type = {"float": np.float32, "float16": np.float16, "int32": np.int32}[dtype]
    c = BIASES[bias].astype(numpy_type)
    turn = "ct = Transpose <perm = [1, 0]> (c)" if c.ndim > 1 else ""
    text = GEMM.replace("TURN", turn).replace("READ", "ct" if turn else "c").replace("TYPE", dtype)
    text = text.replace("ALPHA", factors[0]).replace("BETA", factors[1])
    model = parse(text, b=np.arange(32).reshape(8, 4).astype(numpy_type), c=c)
    lowered = onnxtile.lower(model, (2, 4, 2))
    (region,) = onnxtile.verify(model, lowered).regions
    assert (region.method, region.equivalent, region.reason) == ("exact", True, None)
    if bias in ("any", "a row"):
        for tensor in lowered.graph.initializer:
            if "bias" in tensor.name or tensor.name == "c":
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[..., ::-1].copy(), tensor.name))
        assert not onnxtile.verify(model, lowered).equivalent


WEIGHTS = {
    "symmetric": np.add.outer(np.arange(8), np.arange(8)) / 3, "all alike": np.full((8, 8), 0.3),
    "zeros": np.zeros((8, 8)),
    "identity": np.eye(8), "any": np.arange(64).reshape(8, 8) / 7, "no numbers": np.full((8, 8), np.nan),
}  # fmt: skip


def square(weight: np.ndarray, transposed: bool) -> onnx.ModelProto:
    node = f"Gemm <transB = {int(transposed)}>"
    text = f'<ir_version: 10, opset_import: ["" : 20]> g (float[4,8] x) => (float[4,8] y) {{ [p] y = {node} (x, w) }}'
    return parse(text, w=weight.astype(F32))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("form", ["unrolled", "batched", "function", "loop"])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_weights_that_could_be_cut_in_many_ways_raise_no_alarm(weight: str, form: str, transposed: bool) -> None:
    model = square(WEIGHTS[weight], transposed)
    (region,) = onnxtile.verify(model, onnxtile.lower(model, (3, 4, 4), form=form)).regions
    assert (region.method, region.equivalent) == ("exact", True)


def a_step_up(array: np.ndarray) -> None:
    array.flat[-1] = np.nextafter(array.flat[-1], np.float32(np.inf))


def minus_zero(array: np.ndarray) -> None:
    array.flat[-1] = -0.0


def another_nan(array: np.ndarray) -> None:
    array.view(np.uint32).flat[-1] ^= 1


@pytest.mark.parametrize("form", ["unrolled", "batched", "function"])
@pytest.mark.parametrize(
    ("weight", "change"),
    [("any", a_step_up), ("all alike", a_step_up), ("zeros", minus_zero), ("no numbers", another_nan)],
    ids=["one step", "one step of equal ones", "-0 for 0", "another NaN"],
)
def test_one_bit_of_a_tile_is_told(weight: str, change: Any, form: str) -> None:
    model = square(WEIGHTS[weight], False)
    lowered = onnxtile.lower(model, (3, 4, 4), form=form)
    tensor = [each for each in lowered.graph.initializer if each.data_type == onnx.TensorProto.FLOAT][-1]
    array = numpy_helper.to_array(tensor).copy()
    change(array)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    wrong = [region for region in onnxtile.verify(model, lowered).regions if not region.equivalent]
    assert [region.method for region in wrong] == ["structure"]
    assert tensor.name in str(wrong[0].reason)


LAYERS = """<ir_version: 10, opset_import: ["" : 20]> g (float[4,8] x) => (float[4,8] y) {
    [fc1] a = MatMul (x, w1)  [act] b = Relu (a)  [fc2] c = MatMul (b, w2)  [fc3] d = MatMul (c, w3)
    [fc4] y = Gemm <transB = 1> (d, w4) }"""


def layers() -> onnx.ModelProto:
    rng = np.random.default_rng(3)
    return parse(LAYERS, **{f"w{index}": rng.standard_normal((8, 8)).astype(F32) for index in (1, 2, 3, 4)})


def test_equal_regions_are_proven_once() -> None:
    model = layers()
    lowered = onnxtile.lower(model, (2, 4, 4))
    regions = onnxtile.verify(model, lowered).regions
    assert [region.same_as for region in regions] == [None, "fc1", "fc1", None]
    assert len({region.cases for region in regions}) == 1


def test_an_equal_region_with_a_wrong_weight_is_told_apart() -> None:
    model = layers()
    lowered = onnxtile.lower(model, (2, 4, 4))
    tensor = next(each for each in lowered.graph.initializer if each.name == "w2/k1_n0")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 1, tensor.name))
    wrong = [region.name for region in onnxtile.verify(model, lowered).regions if not region.equivalent]
    assert wrong == ["fc2"]


def test_an_equal_region_that_is_wired_wrong_is_told_apart() -> None:
    model = layers()
    lowered = onnxtile.lower(model, (2, 4, 4))
    split = next(node for node in lowered.graph.node if node.name.startswith("fc3") and node.op_type == "Split")
    split.output[:] = reversed(split.output)
    regions = onnxtile.verify(model, lowered).regions
    assert [(region.name, region.equivalent) for region in regions][2] == ("fc3", False)
    assert [region.equivalent for region in regions].count(False) == 1


def test_a_region_that_computes_something_else_is_no_equal_one() -> None:
    """Its tiles cover it, its operands are alike, and a node behind them is wrong."""
    model = layers()
    lowered = onnxtile.lower(model, (2, 4, 4))
    nodes = lowered.graph.node
    at = next(index for index, node in enumerate(nodes) if "c" in node.output)
    nodes[at].output[0] = "before"
    nodes.insert(at + 1, helper.make_node("Neg", ["before"], ["c"], "wrong"))
    regions = onnxtile.verify(model, lowered).regions
    assert [(each.name, each.method) for each in regions if not each.equivalent] == [("fc2", "exact")]
    assert [each.same_as for each in regions] == [None, None, "fc1", None]


SCRIPT = """
import json, onnxtile
verdict = onnxtile.verify("a.onnx", "b.onnx", workers={workers})
print(json.dumps(verdict.to_json()))
"""


def test_processes_give_the_same_verdict_and_need_no_guard(tmp_path: Path) -> None:
    """A script without `if __name__ == "__main__"`."""
    onnx.save(layers(), tmp_path / "a.onnx")
    onnxtile.lower(tmp_path / "a.onnx", (2, 4, 4), output=tmp_path / "b.onnx")
    told = []
    for workers in (1, 2):
        script = tmp_path / f"script{workers}.py"
        script.write_text(SCRIPT.format(workers=workers))
        ran = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        told.append(json.loads(ran.stdout))
    assert told[0] == told[1]
    assert told[0]["equivalent"]


def test_the_same_seed_gives_the_same_verdict() -> None:
    model = layers()
    lowered = onnxtile.lower(model, (2, 4, 4))
    assert onnxtile.verify(model, lowered, seed=5).to_json() == onnxtile.verify(model, lowered, seed=5).to_json()
    assert onnxtile.verify(model, lowered, seed=5, cases=7).regions[0].cases == 7
