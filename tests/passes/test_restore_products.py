"""A model lowered for one engine, and then for a smaller one, in every combination of forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import ModelError
from onnxtile.profiling.comparison import compare
from onnxtile.profiling.profile import profile_lowered
from tests.commands import FORMS, status
from tests.support import run_onnxruntime, run_reference, whole

F32 = np.dtype(np.float32)
FIRST, SECOND = (8, 8, 8), (4, 4, 4)
FEEDS = {"x": whole([6, 12], F32, 2), "c": np.array(True)}


def model() -> onnx.ModelProto:
    """Products in the main graph, one transposed and with a bias, in a body, and in a function."""
    made = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 20, "local" : 1]>
        g (float[6,12] x, bool c) => (float[6,10] y, float[6,10] z, float[6,10] u) {
            [fc] h = MatMul (x, w)
            [gemm] g = Gemm <transB = 1> (x, t, b)
            y = Add (h, g)
            z = If (c) <then_branch = t1 () => (float[6,10] p) { [in] p = MatMul (x, w) },
                        else_branch = t2 () => (float[6,10] q) { [els] q = MatMul (x, w) }>
            u = local.f (x, w)
        }
        <domain: "local", opset_import: ["" : 20]> f (a, b) => (d) { [deep] d = MatMul (a, b) }""")
    made.graph.initializer.append(numpy_helper.from_array(whole([10], F32, 3), "b"))
    made.graph.initializer.append(numpy_helper.from_array(whole([12, 10], F32, 4), "w"))
    made.graph.initializer.append(numpy_helper.from_array(whole([10, 12], F32, 5), "t"))
    return made


@pytest.fixture(scope="module")
def once() -> dict[str, onnx.ModelProto]:
    return {form: onnxtile.lower(model(), FIRST, form=form) for form in FORMS}


@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
def test_every_combination(once: dict[str, onnx.ModelProto], first: str, second: str) -> None:
    original = model()
    twice = onnxtile.lower(once[first], SECOND, form=second)
    assert onnxtile.check(twice, SECOND).ok
    want = run_reference(original, FEEDS)
    for got, wanted in zip(run_onnxruntime(twice, FEEDS, optimize=False), want, strict=True):
        np.testing.assert_array_equal(got, wanted)
    captured = onnxtile.capture(twice, name=["fc", "gemm"], inputs=FEEDS)
    expected = onnxtile.capture(original, name=["fc", "gemm"], inputs=FEEDS)
    assert list(captured) == list(expected) == ["h", "g"]
    for name, value in expected.items():
        np.testing.assert_array_equal(captured[name], value)
    found = onnxtile.profile(original)
    changes = {each.name: each for each in compare(found, profile_lowered(twice, found)).changes}
    assert {"fc", "gemm"} <= changes.keys()
    for change in (changes["fc"], changes["gemm"]):
        assert change.macs[0] == 720
        assert str(change.macs[1]).isdecimal()
        assert int(str(change.macs[1])) >= 720
    assert onnxtile.verify(once[first], twice).equivalent
    verdict = onnxtile.verify(original, twice)
    assert verdict.proven


@pytest.mark.parametrize("second", FORMS)
def test_a_result_that_its_tiles_transpose(second: str) -> None:
    original = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 18]>
        g (float[1,10,3,3] x, float[N,10,9] s) => (float[1,9,3,3] y, float[N,9,9] z) {
            [image] y = Conv (x, w)
            [signal] z = Conv (s, v)
        }""")
    original.graph.initializer.append(numpy_helper.from_array(whole([9, 10, 1, 1], F32, 1), "w"))
    original.graph.initializer.append(numpy_helper.from_array(whole([9, 10, 1], F32, 2), "v"))
    feeds = {"x": whole([1, 10, 3, 3], F32, 3), "s": whole([2, 10, 9], F32, 4)}
    once = onnxtile.lower(original, FIRST, form="function")
    assert sum("_tc" in function.name for function in once.functions) == 2
    twice = onnxtile.lower(once, SECOND, form=second)
    assert onnxtile.check(twice, SECOND).ok
    for lowered in (once, twice):
        for got, wanted in zip(run_onnxruntime(lowered, feeds), run_reference(original, feeds), strict=True):
            np.testing.assert_array_equal(got, wanted)
        assert onnxtile.verify(original, lowered).proven


def test_a_wrong_weight_that_was_cut_twice_is_seen() -> None:
    original = model()
    for form in ("unrolled", "batched"):
        twice = onnxtile.lower(onnxtile.lower(original, FIRST, form=form), SECOND, form=form)
        tile = next(
            tensor for tensor in twice.graph.initializer if tensor.name.startswith("w/") and "/" in tensor.name[2:]
        )
        array = numpy_helper.to_array(tile).copy()
        array.flat[1] += 1
        tile.CopyFrom(numpy_helper.from_array(array, tile.name))
        verdict = onnxtile.verify(original, twice)
        assert not verdict.equivalent
        assert {region.name for region in verdict.regions if not region.equivalent} <= {"fc", "in", "els"}


@pytest.mark.parametrize("second", FORMS)
def test_a_call_that_is_cut_again_is_what_cutting_the_original_gives(second: str) -> None:
    original = model()
    twice = onnxtile.lower(onnxtile.lower(original, FIRST, form="function"), SECOND, form=second)
    directly = onnxtile.lower(original, SECOND, form=second)
    assert [node.op_type for node in twice.graph.node] == [node.op_type for node in directly.graph.node]
    assert {function.name for function in twice.functions} == {function.name for function in directly.functions}
    assert onnxtile.verify(original, twice).equivalent


@pytest.mark.parametrize("second", FORMS)
def test_a_body_that_reads_a_value_that_was_cut_twice_raises_no_alarm(second: str) -> None:
    made = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 20]>
        g (float[6,12] x, bool c) => (float[6,10] z) {
            [fc] h = MatMul (x, w)
            z = If (c) <then_branch = a () => (float[6,10] p) { [in] p = MatMul (h, v) },
                        else_branch = b () => (float[6,10] q) { [els] r = MatMul (x, w)  q = Add (h, r) }> }""")
    made.graph.initializer.append(numpy_helper.from_array(whole([12, 10], F32, 1), "w"))
    made.graph.initializer.append(numpy_helper.from_array(whole([10, 10], F32, 2), "v"))
    first = onnxtile.lower(made, FIRST, form="function")
    twice = onnxtile.lower(first, SECOND, form=second)
    assert onnxtile.verify(first, twice).equivalent
    wrong = onnx.ModelProto()
    wrong.CopyFrom(twice)
    next(attribute for attribute in wrong.graph.node[-1].attribute if attribute.name == "else_branch").g.node[
        -1
    ].op_type = "Sub"
    assert not onnxtile.verify(first, wrong).equivalent


def test_calls_that_fit_stay(once: dict[str, onnx.ModelProto]) -> None:
    assert onnxtile.lower(once["function"], FIRST, form="function") == once["function"]
    assert onnxtile.lower(once["function"], (16, 16, 16), form="function") == once["function"]


def test_a_function_that_is_not_ours_is_refused(once: dict[str, onnx.ModelProto]) -> None:
    changed = onnx.ModelProto()
    changed.CopyFrom(once["function"])
    ours = next(function for function in changed.functions if function.domain == "onnxtile")
    next(node for node in ours.node if node.op_type == "ReduceSum").op_type = "ReduceMax"
    with pytest.raises(ModelError, match="isn't what onnxtile makes; rename it, or remove it"):
        onnxtile.lower(changed, SECOND)


def test_on_the_command_line(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.onnx" for name in ("original", "once", "twice")]
    onnx.save(model(), paths[0])
    assert status("lower", paths[0], "--max", "8,8,8", "--form", "function", "-o", paths[1], "--verify") == 0
    assert status("lower", paths[1], "--max", "4,4,4", "--form", "batched", "-o", paths[2], "--verify") == 0
    assert status("verify", paths[0], paths[2]) == 0
    assert status("profile", paths[0], "--against", paths[2]) == 0
    assert status("capture", paths[2], "--name", "fc") == 0
