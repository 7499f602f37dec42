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
from onnxtile.operators.table import TABLE
from tests.faults import Forgery
from tests.faults.fault import SIZES, feeds
from tests.faults.forgery import ORIGINAL, PRODUCT, W, changed, run, text, unchecked
from tests.node_cases import NodeCase, node_cases
from tests.support import FORMS, ROOT, form_for
from tests.verification.right_pairs import LOWERED, PAIRS, QUICK, stripped

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def named(pair: Forgery) -> str:
    return pair.title.replace(" ", "-")


def not_different(original: onnx.ModelProto, lowered: onnx.ModelProto) -> None:
    verdict = onnxtile.verify(original, lowered)
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
    lowered = onnxtile.lower(case.original, case.max, ops="matmul,attention", form=form)
    not_different(case.original, lowered)
    not_different(case.original, stripped(lowered))


@pytest.mark.parametrize("name", LOWERED if LONG else ("Gemm", "MatMul of two inputs", "Scan", "Einsum"))
@pytest.mark.parametrize("forms", [("unrolled", "unrolled"), ("unrolled", "batched"), ("batched", "unrolled")], ids=str)
def test_a_model_that_is_lowered_twice(name: str, forms: tuple[str, str]) -> None:
    """To tiles, and these to smaller ones."""
    case = LOWERED[name]
    once = onnxtile.lower(case.original, case.max, ops="matmul,attention", form=forms[0])
    twice = onnxtile.lower(once, (3, 16 if name == "MatMulNBits" else 3, 3), ops="matmul,attention", form=forms[1])
    not_different(case.original, twice)
    not_different(once, twice)


FEW = (
    "test_matmul_2d", "test_matmul_4d", "test_gemm_all_attributes", "test_gemm_default_vector_bias",
    "test_matmulinteger", "test_qlinearmatmul_2D_uint8_float32", "test_einsum_batch_matmul", "test_einsum_inner_prod",
    "test_attention_4d_causal",
)  # fmt: skip


def with_products() -> list[NodeCase]:
    """Cases of the backend suite that hold a product that the project lowers."""
    held = {op_type for domain, op_type in TABLE if not domain}
    return [case for case in node_cases() if case.operators & held and (LONG or case.name in FEW)]


def test_the_backend_suites_products_in_all_forms() -> None:
    tried = set()
    for case in with_products():
        for form in FORMS:
            try:
                lowered = onnxtile.lower(case.model, (2, 2, 2), ops="matmul,attention", form=form_for(case.model, form))
            except UnsupportedError:
                continue
            for each in (lowered, stripped(lowered)):
                verdict = onnxtile.verify(case.model, each)
                assert verdict.equivalent, (case.name, form, verdict.why if hasattr(verdict, "why") else verdict)
            tried.add(case.name)
    assert len(tried) >= len(FEW) - 1


def test_weights_that_are_inputs_with_defaults() -> None:
    model = text("(float[2,8] x, float[8,4] w) => (float[2,4] y) { y = MatMul (x, w) }", w=W)()
    for form in FORMS:
        not_different(model, onnxtile.lower(model, (2, 4, 4), form=form))


def test_no_rows_come_out_as_in_the_original() -> None:
    """Lowerings for any number of rows, or batches, take none as well."""
    for signature, shape in (("(float[N,8] x) => (float[N,4] y)", (0, 8)), (
        "(float[B,N,8] x) => (float[B,N,4] y)", (0, 3, 8)
    )):  # fmt: skip
        model = text(signature + " { y = MatMul (x, w) }", w=W)()
        for form in FORMS[1:]:
            lowered = onnxtile.lower(model, (4, 4, 4), form=form)
            fed = {"x": np.zeros(shape, np.float32)}
            assert run(lowered, fed)[0].shape == run(model, fed)[0].shape
            not_different(model, lowered)


def broken(wrong: str, **constants: object) -> onnx.ModelProto:
    return unchecked(PRODUCT + "{ " + wrong + " }", w=W, **constants)()


@pytest.mark.parametrize(
    "model",
    [
        broken("a, b = Split <axis = 1> (x, s)  t = MatMul (a, v)  u = MatMul (b, z)  y = Add (t, u)", v=W[:4], z=W[4:],
               s=np.array([np.nan, 4], np.float32)),
        broken("t = MatMul (x, c)  y = Identity (t)", c=np.float32(1)),
        broken("y = MatMul (x, v)", v=W[:7]),
        broken("y = Gemm (x, w, v)", v=np.ones((3, 3), np.float32)),
        broken("t = Transpose <perm = [0, 0]> (x)  y = MatMul (t, w)"),
        broken("t = Transpose <perm = [0, 7]> (x)  y = MatMul (t, w)"),
        broken("t = Reshape (x, s)  y = MatMul (t, w)", s=np.array([-1, -1])),
        broken("t = Reshape (x, s)  y = MatMul (t, w)", s=np.array([2**62, 2**62])),
        broken("t = Gather (x, i)  y = MatMul (t, w)", i=np.array([9])),
        broken("t = Gather <axis = 5> (x, i)  y = MatMul (t, w)", i=np.array([0, 1])),
        broken("t = Concat <axis = 3> (x, x)  y = MatMul (t, w)"),
        broken("t = Pad (x, p)  y = MatMul (t, w)", p=np.array([0, 0, 0])),
        broken("t = Pad (x, p)  y = MatMul (t, w)", p=np.array([0, 2**40, 0, 0])),
        broken("t = Expand (x, s)  y = MatMul (t, w)", s=np.array([3, 3])),
        broken("t = Expand (o, s)  n = Neg (t)  r = ReduceSum (n)  t2 = MatMul (x, w)  y = Add (t2, r)", o=np.float32(1),
               s=np.array([2**20, 2**20])),
        broken("t = Tile (x, s)  y = MatMul (t, w)", s=np.array([2**40, 1])),
        broken("t = Slice (x, s, s, s, s)  y = MatMul (t, w)", s=np.array([0])),
        broken("t = Squeeze (x, a)  y = MatMul (t, w)", a=np.array([0])),
        broken("y = Einsum <equation = \"ij,jk,kl->il\"> (x, w)"),
        broken("y = Einsum <equation = \"ij,j->ik\"> (x, w)"),
        broken("y = Einsum <equation = \"\"> (x, w)"),
        broken("s = ConstantOfShape (n)  t = MatMul (x, w)  r = ReduceSum (s)  y = Add (t, r)", n=np.array([2**40])),
        broken("s = ConstantOfShape (n)  y = MatMul (x, s)", n=np.array([-1, 4])),
        broken("r = Range (a, b, c)  t = MatMul (x, w)  q = ReduceSum (r)  y = Add (t, q)", a=np.float32(0),
               b=np.float32(1e30), c=np.float32(1)),
        broken("r = Range (a, b, c)  t = MatMul (x, w)  q = ReduceSum (r)  y = Add (t, q)", a=np.float32(0),
               b=np.float32(1), c=np.float32(0)),
        broken("d = Div (x, i)  y = MatMul (d, w)", i=np.int64(0)),
        broken("q = QuantizeLinear (x, s, z)  d = DequantizeLinear (q, s, z)  y = MatMul (d, w)", s=np.ones(3, np.float32),
               z=np.ones(2, np.uint8)),
        broken("t = MatMul (x, w)  y = Softmax <axis = 9> (t)"),
        broken("y = Loop (x, , x) <body = b (int64 k) => (bool go) { go = Identity (k) }>"),
        broken("y = If (x) <then_branch = a () => (float[2,4] p) { p = MatMul (x, w) }, else_branch = b () => "
               "(float[2,4] q, float r) { q = MatMul (x, w)  r = ReduceSum (x) }>"),
        broken("t = MatMul (x, w)  y = Cast <to = 99> (t)"),
        broken("t = MatMul (x, w)  y = Cast (t)"),
        broken("t = MatMul (x, w)  y = Add (t)"),
        broken("t = MatMul (x)  y = Identity (t)"),
        broken("y = MatMul (x, \"\")"),
        broken("c = Constant ()  t = MatMul (x, w)  y = Add (t, c)"),
        broken("c = Constant <value_string = \"a\"> ()  t = MatMul (x, w)  y = Add (t, c)"),
        broken("c = Constant <value_ints = [1], value_float = 2.0> ()  t = MatMul (x, w)  y = Add (t, c)"),
    ],
    ids=lambda model: "-".join(node.op_type for node in model.graph.node),
)  # fmt: skip
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

    with pytest.raises(OnnxtileError):
        (tmp_path / "b.onnx").write_bytes(changed(ORIGINAL, cut)().SerializeToString())
        onnxtile.verify(ORIGINAL(), tmp_path / "b.onnx")


ENDLESS = """t = MatMul (x, w)  n = Constant <value_int = 4611686018427387904> ()  y = Loop (n, , t) <body = step (int64 i,
    bool more, float[2,4] a) => (bool again, float[2,4] b) { again = Identity (more)  b = Identity (a) }>"""


def test_an_endless_loop_has_an_end(tmp_path: Path) -> None:
    onnx.save(ORIGINAL(), tmp_path / "a.onnx")
    onnx.save(broken(ENDLESS), tmp_path / "b.onnx")
    command = [sys.executable, "-m", "onnxtile", "verify", "a.onnx", "b.onnx", "--timeout", "5"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)) or str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, text=True, env=environment)
    assert ended.returncode in (1, 2)
    assert "Traceback" not in ended.stderr


def test_feeds_of_every_case_run() -> None:
    """The cases are models that an engine runs."""
    for case in LOWERED.values():
        if "bfloat16" not in case.name and "Attention" not in case.name:
            assert run(case.original, feeds(case.original, seed=1, **SIZES))
