"""Right models aren't called different: other tools' rewrites, and our lowerings of every kind in all forms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.errors import OnnxtileError, UnsupportedError
from tests.faults import Forgery
from tests.faults.fault import SIZES, feeds
from tests.faults.forgery import ORIGINAL, Build, W, changed, lowered, run, text
from tests.node_cases import NodeCase, node_cases
from tests.support import FORMS, OLD_ONNXRUNTIME, ROOT, form_for
from tests.verification.broken_models import BROKEN, DOUBLED, ENDLESS
from tests.verification.right_pairs import LOWERED, PAIRS, QUICK, stripped

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def named(pair: Forgery) -> str:
    return pair.title.replace(" ", "-")


def not_different(original: onnx.ModelProto, other: onnx.ModelProto) -> None:
    verdict = onnxtile.verify(original, other)
    wrong = [(region.name, region.method, region.reason) for region in verdict.regions if not region.equivalent]
    assert verdict.equivalent, wrong or verdict.reason


@pytest.mark.parametrize("pair", PAIRS, ids=named)
def test_a_right_rewrite_is_not_different(pair: Forgery) -> None:
    assert not pair.is_shown()
    not_different(pair.original(), pair.forged())


@pytest.mark.parametrize("pair", PAIRS, ids=named)
def test_the_rewrite_is_proven_the_other_way_round_too(pair: Forgery) -> None:
    not_different(pair.forged(), pair.original())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOWERED if LONG else QUICK)
def test_a_lowering_with_nothing_that_says_what_it_is(name: str, form: str) -> None:
    """Constants renamed, metadata and node names gone."""
    case = LOWERED[name]
    made = lowered(case.original, case.max, form=form)
    not_different(case.original, made)
    not_different(case.original, stripped(made))


@pytest.mark.parametrize("name", LOWERED if LONG else ("Gemm", "MatMul of two inputs", "Scan", "Einsum"))
@pytest.mark.parametrize("forms", [("unrolled", "unrolled"), ("unrolled", "batched"), ("batched", "unrolled")], ids=str)
def test_a_model_that_is_lowered_twice(name: str, forms: tuple[str, str]) -> None:
    """To tiles, and these to smaller ones."""
    case = LOWERED[name]
    once = lowered(case.original, case.max, form=forms[0])
    twice = lowered(once, (3, 16 if name == "MatMulNBits" else 3, 3), form=forms[1])
    not_different(case.original, twice)
    not_different(once, twice)


FEW = (
    "test_matmul_2d", "test_matmul_4d", "test_gemm_all_attributes", "test_gemm_default_vector_bias",
    "test_matmulinteger", "test_qlinearmatmul_2D_uint8_float32", "test_einsum_batch_matmul", "test_einsum_inner_prod",
    "test_attention_4d_causal",
)  # fmt: skip


HELD = {"MatMul", "Gemm", "MatMulInteger", "QLinearMatMul", "Einsum", "Attention", "LinearAttention"}


def with_products() -> list[NodeCase]:
    """Cases of the backend suite that hold a product that the project lowers."""
    return [case for case in node_cases() if case.operators & HELD and (LONG or case.name in FEW)]


def test_the_backend_suites_products_in_all_forms() -> None:
    tried = set()
    for case in with_products():
        for form in FORMS:
            try:
                made = lowered(case.model, (2, 2, 2), form=form_for(case.model, form))
            except UnsupportedError:
                continue
            for each in (made, stripped(made)):
                verdict = onnxtile.verify(case.model, each)
                assert verdict.equivalent, (case.name, form, verdict)
            tried.add(case.name)
    assert len(tried) >= len(FEW) - 1


def test_weights_that_are_inputs_with_defaults() -> None:
    model = text("(float[2,8] x, float[8,4] w) => (float[2,4] y) { y = MatMul (x, w) }", w=W)()
    for form in FORMS:
        not_different(model, lowered(model, (2, 4, 4), form=form))


def test_no_rows_come_out_as_in_the_original() -> None:
    """Lowerings for any number of rows, or batches, take none as well."""
    for signature, shape in (("(float[N,8] x) => (float[N,4] y)", (0, 8)), (
        "(float[B,N,8] x) => (float[B,N,4] y)", (0, 3, 8)
    )):  # fmt: skip
        model = text(signature + " { y = MatMul (x, w) }", w=W)()
        for form in FORMS[1:]:
            made = lowered(model, (4, 4, 4), form=form)
            fed = {"x": np.zeros(shape, np.float32)}
            engine = "reference" if OLD_ONNXRUNTIME else "onnxruntime"  # which doesn't spread an axis over an empty one
            assert run(made, fed, engine)[0].shape == run(model, fed, engine)[0].shape
            not_different(model, made)


@pytest.mark.parametrize(
    "model", [model() for model in BROKEN], ids=lambda model: "-".join(node.op_type for node in model.graph.node[:6])
)
@pytest.mark.filterwarnings("ignore")
def test_a_broken_lowered_model_ends_in_a_verdict_or_in_words(model: onnx.ModelProto, tmp_path: Path) -> None:
    for name, each in (("a.onnx", ORIGINAL()), ("b.onnx", model)):
        (tmp_path / name).write_bytes(each.SerializeToString())
    try:
        verdict = onnxtile.verify(tmp_path / "a.onnx", tmp_path / "b.onnx")
    except OnnxtileError:
        return
    assert not verdict.equivalent


def test_numbers_that_a_tensor_lacks(tmp_path: Path) -> None:
    def cut(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]

    (tmp_path / "b.onnx").write_bytes(changed(ORIGINAL, cut)().SerializeToString())
    with pytest.raises(OnnxtileError):
        onnxtile.verify(ORIGINAL(), tmp_path / "b.onnx")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by Linux's ulimit")
@pytest.mark.parametrize("model", [ENDLESS, DOUBLED], ids=["an endless loop", "an input doubled 45 times"])
def test_time_and_memory_have_limits(model: Build, tmp_path: Path) -> None:
    """With 8 gigabytes and, said so, 5 seconds."""
    onnx.save(ORIGINAL(), tmp_path / "a.onnx")
    onnx.save(model(), tmp_path / "b.onnx")
    command = ["sh", "-c", f"ulimit -v 8000000; exec {sys.executable} -m onnxtile verify a.onnx b.onnx --timeout 5"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)) or str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, text=True, env=environment)
    assert ended.returncode in (1, 2), ended.stderr
    assert "Traceback" not in ended.stderr


def test_feeds_of_every_case_run() -> None:
    """The cases are models that an engine runs."""
    for case in LOWERED.values():
        if "bfloat16" not in case.name and "Attention" not in case.name:
            assert run(case.original, feeds(case.original, seed=1, **SIZES))
