"""Two models side by side: what counts as kept, what becomes a region, and what no node makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.errors import ModelError
from onnxtile.verification.verdict import Verdict
from tests.support import matmul, parse, whole

F32 = np.dtype(np.float32)
HEAD = '<ir_version: 10, opset_import: ["" : 20]>'
W = whole([8, 6], F32, 1)


def model(body: str, **constants: np.ndarray) -> onnx.ModelProto:
    """`x` [4, 8] is fed; the body says the outputs and the nodes."""
    return parse(f"{HEAD} g (float[4,8] x) => {body}", **constants)


def copied(original: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(original)
    return copy


def judged(verdict: Verdict) -> list[tuple[str, str, bool]]:
    return [(region.name, region.method, region.equivalent) for region in verdict.regions]


LAYER = "(float[4,6] y) { h = Relu (x)  y = MatMul (h, w) }"


def test_a_model_against_itself_has_no_regions() -> None:
    verdict = onnxtile.verify(model(LAYER, w=W), model(LAYER, w=W))
    assert (verdict.equivalent, verdict.kept, verdict.regions, verdict.engine) == (True, 2, (), "none")
    assert [(each.name, each.exact, each.equivalent) for each in verdict.outputs] == [("y", True, True)]


def test_what_is_kept_is_counted_and_the_rest_is_a_region() -> None:
    original = model("(float[4,6] y) { [act] h = Relu (x)  [fc] z = MatMul (h, w)  [out] y = Neg (z) }", w=W)
    verdict = onnxtile.verify(original, onnxtile.lower(original, (2, 4, 3)))
    assert (verdict.kept, judged(verdict)) == (2, [("fc", "exact", True)])
    assert verdict.regions[0].tiles == 8


def test_a_renamed_value_is_no_alarm() -> None:
    other = model("(float[4,6] y) { renamed = Relu (x)  y = MatMul (renamed, w) }", w=W)
    assert onnxtile.verify(model(LAYER, w=W), other).equivalent


def test_a_renamed_constant_is_proven_by_its_bytes() -> None:
    original = model(LAYER, w=W)
    body = LAYER.replace("w)", "other)")
    assert judged(onnxtile.verify(original, model(body, other=W))) == [("y", "exact", True)]
    assert judged(onnxtile.verify(original, model(body, other=-W))) == [("y", "exact", False)]


B = np.arange(8, dtype=np.float32)


@pytest.mark.parametrize("other", [B + (B == 7), B + (B == 7) * 2.0**-18, B[:, None]], ids=["element", "bit", "shape"])
def test_a_kept_constant_is_compared(other: np.ndarray) -> None:
    body = "(float[4,8] y) { c = Cast <to = 1> (b)  y = Add (x, c) }"
    assert not onnxtile.verify(model(body, b=B), model(body, b=other)).equivalent


def test_a_constant_is_the_same_as_an_initializer_or_in_a_node() -> None:
    other = model(LAYER, w=W)
    del other.graph.initializer[:]
    other.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(W, "inside")))
    for one, two in ((model(LAYER, w=W), other), (other, model(LAYER, w=W))):
        assert onnxtile.verify(one, two).regions == ()
    other.graph.node[0].attribute[0].t.CopyFrom(numpy_helper.from_array(W + 1))
    assert not onnxtile.verify(model(LAYER, w=W), other).equivalent


def test_a_constant_that_is_computed_now_is_judged_by_what_it_makes() -> None:
    original = model("(float[4,8] y) { y = Add (x, c) }", c=np.ones(8, np.float32))
    body = "(float[4,8] y) { c = Neg (d)  y = Add (x, c) }"
    assert onnxtile.verify(original, model(body, d=np.full(8, -1, np.float32))).equivalent
    assert not onnxtile.verify(original, model(body, d=np.ones(8, np.float32))).equivalent


OUTPUTS = "(float[4,8] y, float[3] c)"


@pytest.mark.parametrize(
    "made", ["c = Neg (d)", "c = Constant <value = float[3] {1, 2, 4}> ()"], ids=["computed", "in a node"]
)
def test_an_output_that_is_a_constant_is_compared(made: str) -> None:
    constant = np.array([1, 2, 3], np.float32)
    plain = f"{OUTPUTS} {{ y = Relu (x) }}"
    assert onnxtile.verify(model(plain, c=constant), model(plain, c=constant)).equivalent
    for other in (model(plain, c=constant[::-1].copy()), model(f"{OUTPUTS} {{ y = Relu (x)  {made} }}", d=constant)):
        verdict = onnxtile.verify(model(plain, c=constant), other)
        assert [(each.name, each.equivalent) for each in verdict.outputs] == [("y", True), ("c", False)]
    in_a_node = model(f"{OUTPUTS} {{ y = Relu (x)  c = Constant <value = float[3] {{1, 2, 3}}> () }}")
    assert onnxtile.verify(model(plain, c=constant), in_a_node).equivalent
    assert not onnxtile.verify(in_a_node, model(f"{OUTPUTS} {{ y = Relu (x) c = Neg (d) }}", d=constant)).equivalent


def test_an_output_that_is_an_input_is_no_alarm() -> None:
    original = model("(float[4,8] x, float[4,6] y) { y = MatMul (x, w) }", w=W)
    verdict = onnxtile.verify(original, onnxtile.lower(original, (2, 4, 3)))
    assert [(each.name, each.equivalent, each.exact) for each in verdict.outputs] == [
        ("x", True, True),
        ("y", True, True),
    ]


def test_an_output_that_nothing_makes_is_refused() -> None:
    original = model("(float[4,8] y, float[4,8] z) { y = Relu (x)  z = Neg (y) }")
    lowered = copied(original)
    del lowered.graph.node[1]
    with pytest.raises(ModelError, match="nothing computes the output 'z'"):
        onnxtile.verify(original, lowered)


def sparse(value: float) -> onnx.ModelProto:
    made = matmul([4, 4], [4, 4], [4, 4])
    del made.graph.initializer[:]
    values, places = helper.make_tensor("W", 1, [1], [value]), helper.make_tensor("places", 7, [1], [3])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 4]))
    return made


def test_sparse_constants_are_compared() -> None:
    assert onnxtile.verify(sparse(1), onnxtile.lower(sparse(1), (2, 2, 2))).equivalent
    dense = copied(sparse(1))
    dense.graph.initializer.append(numpy_helper.from_array(np.eye(4, dtype=np.float32), "W"))
    del dense.graph.sparse_initializer[:]
    for one, two in ((sparse(1), sparse(2)), (sparse(1), dense), (dense, sparse(1))):
        verdict = onnxtile.verify(one, two)
        assert verdict.regions[-1].reason == "sparse constant 'W' has other elements than in the original"
        assert verdict.regions[-1].where == ("product",)
        assert not verdict.outputs[0].equivalent


def test_a_call_is_as_it_was_only_where_its_function_is() -> None:
    tiled = onnxtile.lower(matmul([8, 64], [64, 32], [8, 32]), (4, 16, 16), form="function")
    assert onnxtile.verify(tiled, tiled).regions == ()
    wrong = copied(tiled)
    for node in wrong.functions[0].node:
        node.op_type = "ReduceMax" if node.op_type == "ReduceSum" else node.op_type
    verdict = onnxtile.verify(tiled, wrong)
    assert judged(verdict) == [("product", "exact", False)]


CALLED_TWICE = """<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
    g (float[4,8] x, float[2,5,8] z) => (float[4,6] y, float[2,5,6] u) {
        y = local.layer (x, w)  u = local.layer (z, w) }
    <domain: "local", opset_import: ["" : 20]> layer (a, b) => (c) { d = Relu (a)  c = MatMul (d, b) }"""


@pytest.mark.parametrize("form", ["unrolled", "batched", "function"])
def test_a_local_function_called_twice_with_different_shapes(form: str) -> None:
    original = parse(CALLED_TWICE, w=W)
    lowered = onnxtile.lower(original, (2, 4, 3), form=form)
    verdict = onnxtile.verify(original, lowered)
    assert [(region.method, region.equivalent) for region in verdict.regions] == [("exact", True)] * 2
    for tensor in lowered.graph.initializer:
        if tensor.dims and tensor.name.startswith("w"):
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
            break
    assert not onnxtile.verify(original, lowered).equivalent


BRANCHES = """(float[4,6] y) { [half] m = ReduceSum <keepdims = 0> (x)  s = Greater (m, zero)  [IF] y = If (s)
    <then_branch = one () => (float[4,6] p) { [inner] p = MatMul (x, w) },
     else_branch = two () => (float[4,6] q) { [other] z = MatMul (x, w)  q = Neg (z) }> }"""


@pytest.mark.parametrize("name", ["choice", "/choice/If"])
def test_bodies_are_laid_side_by_side(name: str) -> None:
    """A fault in one branch is told there, and bears on the output, whatever the node is called."""
    original = model(BRANCHES.replace("[IF]", ""), w=W, zero=np.zeros((), np.float32))
    original.graph.node[-1].name = name
    lowered = onnxtile.lower(original, (2, 4, 3))
    right = onnxtile.verify(original, lowered)
    assert judged(right) == [("inner", "exact", True), ("other", "exact", True)]
    assert [region.scope for region in right.regions] == [f"{name}/then_branch", f"{name}/else_branch"]
    branch = next(each.g for each in lowered.graph.node[-1].attribute if each.name == "else_branch")
    add = next(node for node in branch.node if node.op_type == "Add")
    add.input[1] = add.input[0]
    wrong = onnxtile.verify(original, lowered)
    assert judged(wrong) == [("inner", "exact", True), ("other", "exact", False)]
    assert not wrong.outputs[0].equivalent
    assert not wrong.outputs[0].exact


NESTED = """(float[4,6] y) { m = ReduceSum <keepdims = 0> (x)  s = Greater (m, zero)
    y = If (s) <then_branch = one () => (float[4,6] o) { h = Relu (x)
        o = If (s) <then_branch = deep () => (float[4,6] p) { p = MatMul (h, w) },
                    else_branch = flat () => (float[4,6] r) { r = MatMul (x, w) }> },
      else_branch = two () => (float[4,6] q) { q = MatMul (x, w) }> }"""


@pytest.mark.parametrize("names", [("a", "b"), ("/a/If", "/b")])
def test_bodies_in_bodies_know_what_is_around_them(names: tuple[str, str]) -> None:
    original = model(NESTED, w=W, zero=np.zeros((), np.float32))
    outer = original.graph.node[-1]
    outer.name, outer.attribute[0].g.node[-1].name = names
    verdict = onnxtile.verify(original, onnxtile.lower(original, (2, 4, 3)))
    assert judged(verdict) == [("p", "exact", True), ("r", "exact", True), ("q", "exact", True)]


LOOP = """(float[4,8] y) { y = Loop (n, , x) <
    body = step (int64 i, bool more, float[4,8] a) => (bool again, float[4,8] b) {
    again = Identity (more)  b = MatMul (a, w) }> }"""


def test_the_body_of_a_loop() -> None:
    original = model(LOOP, w=whole([8, 8], F32, 1), n=np.array(3))
    lowered = onnxtile.lower(original, (2, 4, 3))
    assert judged(onnxtile.verify(original, lowered)) == [("b", "exact", True)]
    body = lowered.graph.node[-1].attribute[0].g
    body.node[-1].op_type = "Concat"
    body.node[-1].input.reverse()
    assert not onnxtile.verify(original, lowered).equivalent


def test_an_unrelated_model_with_the_same_interface() -> None:
    other = model(
        "(float[4,6] y) { a = Mul (x, x)  y = Slice (a, s, e, s1) }", s=np.array([0]), e=np.array([6]), s1=np.array([1])
    )
    verdict = onnxtile.verify(model(LAYER, w=W), other)
    assert not verdict.equivalent
    assert verdict.kept == 0
    assert verdict.regions[0].where


@pytest.mark.parametrize("opset", [18, 23])
def test_models_of_different_opsets_are_compared_node_by_node(opset: int) -> None:
    original, other = model(LAYER, w=W), model(LAYER, w=W)
    other.opset_import[0].version = opset
    verdict = onnxtile.verify(original, other)
    assert verdict.equivalent
    assert (verdict.kept, judged(verdict)) == (0, [("h", "exact", True), ("y", "exact", True)])


def test_an_operator_that_changed_between_opsets_is_found() -> None:
    """Softmax flattens its axes before opset 13."""
    body = "(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax <axis = 1> (x) }"
    old, new = (parse(f'<ir_version: 8, opset_import: ["" : {opset}]> g {body}') for opset in (11, 13))
    assert not onnxtile.verify(old, new).equivalent


def resized(made: onnx.GraphProto) -> None:
    made.input[0].type.tensor_type.shape.dim[0].dim_value = 5


def retyped(made: onnx.GraphProto) -> None:
    made.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16


INTERFACES: dict[str, Callable[[onnx.GraphProto], Any]] = {
    "the inputs differ: z": lambda made: made.input.append(helper.make_tensor_value_info("z", 1, [1])),
    "input 'x' is float in the original and float16 in the lowered model; change types before lowering, or keep those "
    "of inputs and outputs": retyped,
    "the shapes of 'x' differ: [4, 8] and [5, 8]": resized,
    "the outputs differ: h": lambda made: made.output.pop(),
    "the outputs differ: in order": lambda made: made.output.reverse(),
}


@pytest.mark.parametrize("words", INTERFACES)
def test_another_interface_is_told_without_running_anything(words: str) -> None:
    body = "(float[4,6] y, float[4,8] h) { h = Relu (x)  y = MatMul (h, w) }"
    other = model(body, w=W)
    INTERFACES[words](other.graph)
    verdict = onnxtile.verify(model(body, w=W), other)
    assert (verdict.equivalent, verdict.method, verdict.engine, verdict.reason) == (False, "interfaces", "none", words)


def test_a_node_that_no_engine_knows_may_stay() -> None:
    text = """<ir_version: 8, opset_import: ["" : 18, "nobody" : 1]> g (float[4,8] x) => (float[4,6] y) {
        z = MatMul (x, w)  y = nobody.Knows (z) }"""
    original = parse(text, w=W)
    lowered = onnxtile.lower(original, (2, 4, 3))
    verdict = onnxtile.verify(original, lowered)
    assert (verdict.equivalent, verdict.kept, judged(verdict)) == (True, 1, [("z", "exact", True)])
    lowered.graph.node[-1].domain = "other"
    lowered.opset_import.add(domain="other", version=1)
    verdict = onnxtile.verify(original, lowered)
    assert (verdict.equivalent, verdict.counts) == (False, {"proven": 1, "unknown": 1})
    assert re.search("no engine has Knows of domain (nobody|other)", verdict.why)
    assert verdict.summary == "not shown to be equivalent: 0 nodes kept, 2 regions: 1 proven, 1 unknown"


def test_a_name_that_is_used_for_something_else_is_no_alarm() -> None:
    """Unlike one whose value is wrong, whatever follows from it."""
    original = model("(float[4,6] y) { t = MatMul (x, w)  r = Relu (t)  y = Exp (r) }", w=W)
    body = "(float[4,6] y) {{ t = MatMul (x, v)  u = {} (t, a, b, c)  r = Relu (u)  y = Exp (r) }}"
    more = {"v": np.concatenate([W, W], 1), "b": np.array([6]), "c": np.array([1])}
    assert onnxtile.verify(original, model(body.format("Slice"), a=np.array([0]), **more)).proven
    more["b"] = np.array([7])
    assert not onnxtile.verify(
        original, model(body.format("Slice"), a=np.array([1]), **more | {"v": more["v"]})
    ).equivalent
