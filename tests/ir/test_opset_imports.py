"""The default operator set by either of its names, and functions written in another version than the model."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import ModelError
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.tiling.limits import Limits
from tests.commands import FORMS, in_every_form, whole_model
from tests.support import parse, run_onnxruntime, run_reference, whole

F32 = np.dtype(np.float32)
FEEDS = {"x": whole([6, 9], F32, 2), "c": np.array(True)}
W = whole([9, 10], F32, 1)
LIMITS = (4, 4, 4)


def model() -> onnx.ModelProto:
    """Products in the main graph, in a body, in functions, and in a body inside one."""
    return parse(
        """<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
        g (float[6,9] x, bool c) => (float[6,10] y, float[6,10] z, float[6,10] u, float[6,10] v) {
            [p] y = MatMul (x, w)
            z = If (c) <then_branch = t () => (float[6,10] a) { [in] a = MatMul (x, w) },
                        else_branch = e () => (float[6,10] b) { b = Identity (y) }>
            u = local.one (x, w)
            v = local.two (x, w, c)
        }
        <domain: "local", opset_import: ["" : 20]> one (a, b) => (d) { [fc] r = MatMul (a, b)  d = Relu (r) }
        <domain: "local", opset_import: ["" : 20]> two (a, b, k) => (d) {
            s = If (k) <then_branch = t () => (q) { [deep] q = MatMul (a, b) },
                        else_branch = e () => (o) { n = Neg (a)  o = MatMul (n, b) }>
            d = Abs (s)
        }""",
        w=W,
    )


def nodes(graph: onnx.GraphProto | onnx.FunctionProto) -> list[onnx.NodeProto]:
    inside = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return list(itertools.chain(graph.node, *map(nodes, inside)))


def renamed(change: str) -> onnx.ModelProto:
    """The model, `ai.onnx` written in some places."""
    made = model()
    for holder in (made, *made.functions):
        if change == "imports":
            holder.opset_import[0].domain = "ai.onnx"
        elif change in ("both imports", "nodes"):
            holder.opset_import.add(domain="ai.onnx", version=20)
        else:
            holder.opset_import[0].domain = "ai.onnx" if holder is not made or change == "all" else ""
    for holder in (made.graph, *made.functions) if change != "imports" else ():
        for node in nodes(holder) if change in ("nodes", "all") or holder is not made.graph else ():
            node.domain = node.domain or "ai.onnx"
    return made


@pytest.mark.parametrize("change", ["imports", "both imports", "nodes", "functions", "all"])
def test_the_default_set_by_its_other_name(change: str) -> None:
    original, before = renamed(change), renamed(change)
    want = run_reference(model(), FEEDS)
    plain = [row.to_json() for row in onnxtile.check(model(), LIMITS).contractions]
    assert [row.to_json() for row in onnxtile.check(original, LIMITS).contractions] == plain
    assert onnxtile.profile(original).totals == onnxtile.profile(model()).totals
    for form in FORMS:
        lowered = onnxtile.lower(original, LIMITS, form=form)
        assert original == before
        onnx.checker.check_model(lowered, full_check=True)
        assert lowered == onnxtile.lower(model(), LIMITS, form=form)
        assert onnxtile.verify(original, lowered).equivalent
        for got, wanted in zip(run_onnxruntime(lowered, FEEDS), want, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_every_command_on_the_other_name(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(renamed("all"), path)
    whole_model(path, "4,4,4", FEEDS)
    in_every_form(path, "4,4,4", FEEDS, ["unrolled"])


def test_the_other_name_in_the_ir() -> None:
    for original in (renamed("imports"), renamed("both imports"), renamed("all")):
        lowered = onnxtile.lower(ir.from_proto(original), LIMITS)
        assert lowered.opset_imports == {"": 20, "local": 1}
        assert ir.to_proto(lowered).functions[0].opset_import[0].domain == ""
        raw = ir.from_proto(original)
        onnxtile.PassManager(["infer-shapes", TileMatMul(Limits(4, 4, 4), leave_refused=True)])(raw)
        assert raw.graph.node(0).domain == "onnxtile"


def test_versions_that_contradict_are_refused() -> None:
    for domain, where in (("", "the model"), ("ai.onnx", "the model"), ("ai.onnx", "function 'one'")):
        original = model()
        holder = original if where == "the model" else original.functions[0]
        holder.opset_import.add(domain=domain, version=11)
        for each in (original, ir.from_proto(original)) if domain else (original,):
            with pytest.raises(ModelError, match=f"{where} imports the operator set 'ai.onnx' in versions 20 and 11"):
                onnxtile.lower(each, LIMITS)


@pytest.mark.parametrize(
    ("main", "one", "two"), [(20, 14, 22), (14, 20, 14), (20, 17, 17), (None, 18, 18), (18, 18, 14)]
)
def test_functions_in_other_versions(main: int | None, one: int, two: int) -> None:
    """Their operators are the same in these versions, and so what's made for them is what the model's version has."""
    original = model()
    for imports, version in ((original.functions[0].opset_import, one), (original.functions[1].opset_import, two)):
        imports[0].version = version
    if main is None:
        del original.graph.node[:2], original.graph.output[:2], original.opset_import[0]
    else:
        original.opset_import[0].version = main
    want = run_reference(original, FEEDS)
    for form in FORMS:
        lowered = onnxtile.lower(original, LIMITS, form=form)
        onnx.checker.check_model(lowered, full_check=True)
        report = onnxtile.check(lowered, LIMITS)
        assert report.ok
        assert onnxtile.check(original, LIMITS).over
        assert onnxtile.verify(original, lowered).equivalent
        for run in (run_onnxruntime, run_reference):
            for got, wanted in zip(run(lowered, FEEDS), want, strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_every_command_on_functions_in_other_versions(tmp_path: Path) -> None:
    original, path = model(), tmp_path / "m.onnx"
    original.functions[0].opset_import[0].version = 14
    original.functions[1].opset_import[0].version = 22
    onnx.save(original, path)
    whole_model(path, "4,4,4", FEEDS)
    in_every_form(path, "4,4,4", FEEDS, ["loop"])


@pytest.mark.parametrize(
    ("body", "own", "main"),
    [
        ("m = ReduceMax <axes = [0]> (a)  d = MatMul (m, b)", 17, 20),
        ("s = Softmax (a)  d = MatMul (s, b)", 11, 13),
        ("s, t = Split <axis = 0> (a)  d = MatMul (s, b)", 13, 18),
        ("s, t = Split <axis = 0, num_outputs = 2> (a)  d = MatMul (s, b)", 18, 13),
        ("r = Reshape <allowzero = 1> (a, a)  d = MatMul (r, b)", 14, 13),
    ],
)
def test_a_function_that_means_another_thing_in_the_models_version_is_refused(body: str, own: int, main: int) -> None:
    text = f"""<ir_version: 8, opset_import: ["" : {main}, "local" : 1]>
        g (float[6,9] x, float[9,10] w) => (float[6,10] y) {{ y = local.f (x, w) }}
        <domain: "local", opset_import: ["" : {own}]> f (a, b) => (d) {{ {body} }}"""
    with pytest.raises(ModelError, match=f"FunctionOp imports version {own} whereas model imports version {main}"):
        onnxtile.lower(onnx.parser.parse_model(text), LIMITS)


def test_types_and_attributes_that_were_added_change_no_node() -> None:
    """Versions of Reshape, Cast and Constant between 13 and 21 take more types, and attributes that these lack."""
    original = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 21, "local" : 1]>
        g (float[6,9] x, float[9,10] w) => (float[6,10] y) { y = local.f (x, w) }
        <domain: "local", opset_import: ["" : 13]> f (a, b) => (d) {
            s = Constant <value_ints = [6, 9]> ()
            c = Cast <to = 1> (a)
            r = Reshape (c, s)
            d = MatMul (r, b)
        }""")
    feeds = {"x": FEEDS["x"], "w": W}
    for form in FORMS:
        lowered = onnxtile.lower(original, LIMITS, form=form)
        onnx.checker.check_model(lowered, full_check=True)
        assert onnxtile.check(lowered, LIMITS).ok
        assert onnxtile.verify(original, lowered).equivalent
        for run in (run_onnxruntime, run_reference):
            np.testing.assert_array_equal(run(lowered, feeds)[0], feeds["x"] @ W)
