"""reduce: the guilty pass is named, a few nodes are left, and what is written repeats the failure."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.debugging.reduce.extraction import Cutter
from onnxtile.debugging.reduce.minimizing import minimal
from onnxtile.errors import ModelError, PassError, UnsupportedError, UsageError
from onnxtile.passes import InferShapes
from tests.cli.test_app import Cli, cli, one_line
from tests.planted import SwapsSub, WrongAxis, network
from tests.support import parse, run_onnxruntime, whole

__all__ = ["cli"]  # a fixture
F32 = np.dtype(np.float32)
PLANTED = {
    "DropsTheLastTile{max=4,4,4}": "MatMul",
    "SwapsSub": "Sub",
    "ForgetsTheBias": "Gemm",
    "IgnoresTransB": "Gemm",
    "LosesAlpha": "Gemm",
    "WrongAxis": "Softmax",
    "Raises": "Tanh",
    "Raises{op=Relu how=invalid}": "Relu",
    "Raises{op=Relu how=dangles}": "Relu",
}
AROUND = [
    ("infer-shapes", "decompose-gemm,tile-matmul{max=4,4,4}"),
    ("infer-shapes,specialize-functions", "unroll-tiles"),
]
HERE = "tests.planted:"


@pytest.mark.parametrize("around", AROUND, ids=["early", "late"])
@pytest.mark.parametrize("name", PLANTED)
def test_planted_bugs_are_found(name: str, around: tuple[str, str], tmp_path: Path) -> None:
    before, after = around
    model, folder = network(), tmp_path / "small"
    assert len(model.graph.node) >= 10
    found = onnxtile.reduce(model, f"{before},{HERE}{name},{after}", output=folder)
    assert found is not None
    assert (found.guilty, found.pipeline) == (HERE + name, HERE + name)
    assert [each.split()[0] for each in found.nodes] == [PLANTED[name]]
    reduced = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(reduced, full_check=True)
    assert [node.op_type for node in reduced.graph.node] == [PLANTED[name]]
    with np.load(folder / "inputs.npz") as inputs:
        fed = dict(inputs)
    right = run_onnxruntime(reduced, fed)[0]
    assert found.inputs_fail == (not name.startswith("Raises"))
    if found.inputs_fail:  # what was written shows the bug without us
        wrong = run_onnxruntime(onnx.load(folder / "lowered.onnx"), fed)[0]
        assert np.abs(right - wrong).max() > 1e-3
    assert (folder / "lowered.onnx").exists() == (found.lowered is not None) == (name != "Raises")


def test_a_rename_of_what_is_equivalent_is_no_failure() -> None:
    words: list[str] = []

    def note(said: str, done: int = 0, total: int | None = None) -> None:
        words.append(said)

    assert onnxtile.reduce(network(), "infer-shapes,decompose-gemm,tile-matmul{max=4,4,4}", progress=note) is None
    assert words[-1] == "check after 3 of 3 passes"


def test_a_failure_that_needs_two_nodes_keeps_two() -> None:
    class Joint(ir.passes.InPlacePass):
        """Breaks a Relu that an Add feeds."""

        def call(self, model: ir.Model) -> ir.passes.PassResult:
            for node in model.graph:
                data = node.inputs[0] if node.inputs else None
                producer = None if data is None else data.producer()
                if node.op_type == "Relu" and producer is not None and producer.op_type == "Add":
                    node.op_type = "Abs"
            return ir.passes.PassResult(model, modified=True)

    found = onnxtile.reduce(network(), [InferShapes(), Joint()])
    assert found is not None
    assert found.nodes == ("Add bias", "Relu relu")
    assert found.guilty.endswith("Joint")


def test_a_failure_that_needs_the_passes_before_keeps_them() -> None:
    ran: list[str] = []

    class Early(ir.passes.InPlacePass):
        def call(self, model: ir.Model) -> ir.passes.PassResult:
            ran.append("early")
            return ir.passes.PassResult(model, modified=False)

    class Late(ir.passes.InPlacePass):
        """Wrong where Early ran before."""

        def call(self, model: ir.Model) -> ir.passes.PassResult:
            if not ran:
                return ir.passes.PassResult(model, modified=False)
            ran.clear()
            return WrongAxis()(model)

    found = onnxtile.reduce(network(), [Early(), InferShapes(), Late(), InferShapes()])
    assert found is not None
    assert found.nodes == ("Softmax soft",)
    assert len(found.pipeline.split(",")) == 3


def test_free_dimensions_and_shapes_computed_on_the_way(tmp_path: Path) -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[batch,8] x) => (float[batch,4,2] y) {
            s = Shape (x)  i = Constant <value = int64[1] {0}> ()  b = Gather (s, i)
            t = Constant <value = int64[2] {2, 4}> ()  shape = Concat <axis = 0> (b, t)
            h = Reshape (x, shape)  p = Transpose <perm = [0, 2, 1]> (h)  q = Relu (p)
            [soft] y = Softmax <axis = -1> (q) }"""
    )
    found = onnxtile.reduce(model, [InferShapes(), WrongAxis()])
    assert found is not None and found.nodes == ("Softmax soft",)
    bound = onnxtile.reduce(model, f"bind-dims{{batch=3}},infer-shapes,{HERE}WrongAxis", output=tmp_path / "small")
    assert bound is not None and bound.nodes == ("Softmax soft",)
    assert list(bound.model.graph.inputs[0].shape or ()) == [3, 4, 2]


def test_bugs_inside_local_functions() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[4,4] x) => (float[4,4] y) {
            a = Relu (x)  b = own.body (a)  y = Tanh (b) }
        <domain: "own", opset_import: ["" : 17]> body (p) => (r) { o = Sigmoid (p)  q = Sub (p, o)  r = Exp (q) }"""
    )

    class Everywhere(ir.passes.InPlacePass):
        """Swaps operands of Sub in functions too."""

        def call(self, model: ir.Model) -> ir.passes.PassResult:
            for graph in (model.graph, *(function.graph for function in model.functions.values())):
                SwapsSub()(ir.Model(graph, ir_version=8))
            return ir.passes.PassResult(model, modified=True)

    found = onnxtile.reduce(model, [Everywhere()])
    assert found is not None
    assert [each.split()[0] for each in found.nodes] == ["Sub"]
    assert not found.model.functions


def test_inputs_of_any_name_and_type(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (T[4] file, T[4] b) => (T[4] y) { y = Sub (file, b) }"""
    for number, dtype in enumerate(("float", "bfloat16")):
        found = onnxtile.reduce(parse(text.replace("T", dtype)), f"{HERE}SwapsSub", output=tmp_path / str(number))
        assert found is not None and found.guilty == f"{HERE}SwapsSub"
        lines = (tmp_path / str(number) / "command.txt").read_text().splitlines()
        assert ("--input" in lines[1]) == (dtype == "float") == (tmp_path / str(number) / "inputs.npz").exists()
    with np.load(tmp_path / "0" / "inputs.npz") as inputs:
        assert sorted(inputs) == ["b", "file"]


@given(st.integers(1, 30), st.data())
def test_what_is_left_is_minimal(size: int, data: st.DataObject) -> None:
    needed = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=4))
    asked: list[Sequence[int]] = []

    def fails(part: Sequence[int]) -> bool:
        assert part and list(part) == sorted(part) and part not in asked
        asked.append(list(part))
        return needed <= set(part)

    assert minimal(range(size), fails) == sorted(needed)
    assert len(asked) <= size**2 + 3 * size  # the worst case of ddmin


@given(st.sets(st.integers(0, 14), min_size=1))
def test_every_part_of_a_model_computes_what_it_did_there(chosen: set[int]) -> None:
    """Any nodes cut out, fed with the values that the whole model has there, give the whole model's values."""
    whole_model = network()
    for node in whole_model.graph.node:
        for name in node.output:
            if name not in ("y", "z"):
                whole_model.graph.output.append(onnx.ValueInfoProto(name=name))
    fed = {"x": np.random.default_rng(1).standard_normal((4, 10)).astype(F32)}
    values = fed | dict(
        zip((each.name for each in whole_model.graph.output), run_onnxruntime(whole_model, fed), strict=True)
    )
    model = ir.from_proto(network())
    part = Cutter(model, seed=0).cut([node for index, node in enumerate(model.graph) if index in chosen])
    assert part is not None
    proto = ir.to_proto(part)
    onnx.checker.check_model(proto, full_check=True)
    assert len(proto.graph.node) == len(chosen)
    results = run_onnxruntime(proto, {each.name: values[each.name] for each in proto.graph.input}, optimize=False)
    for value, result in zip(proto.graph.output, results, strict=True):
        np.testing.assert_allclose(result, values[value.name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("passes", "kind", "words"),
    [
        ("infer-shapes,fold", UsageError, "pass 'fold' is unknown: take one of bind-dims"),
        ("nowhere:Pass", UsageError, "pass 'nowhere:Pass' can't be imported: ModuleNotFoundError"),
        ([], UsageError, "the pipeline is empty"),
        (f"infer-shapes,{HERE}Raises{{how=refuses}}", PassError, "pass Raises: not that"),
        (f"bind-dims{{q=1}},{HERE}SwapsSub", UsageError, "dimension 'q' isn't a free dimension"),
    ],
)
def test_bad_pipelines_are_refused(passes: str, kind: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=words):
        onnxtile.reduce(network(), passes, output=tmp_path / "small")
    assert list(tmp_path.iterdir()) == []


def test_a_pass_that_refuses_after_a_wrong_one_does_not_hide_it() -> None:
    found = onnxtile.reduce(network(), f"infer-shapes,{HERE}SwapsSub,{HERE}Raises{{how=refuses}}")
    assert found is not None and found.guilty == f"{HERE}SwapsSub"


def test_models_that_cannot_be_reduced_say_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the check fails on the model itself, before any pass: the check says no"):
        onnxtile.reduce(network(), f"{HERE}SwapsSub", check=lambda original, lowered: False)
    with pytest.raises(ModelError, match="no_such.onnx"):
        onnxtile.reduce(tmp_path / "no_such.onnx", f"{HERE}SwapsSub")
    fixed = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[b,k] x) => (float[b,8] y)
        {
            s = Constant <value_ints = [-1, 5]> ()  h = Identity (x)
            r = Reshape (h, s)  y = MatMul (r, w)
        }""",
        w=whole([5, 8], F32, 0),
    )
    with pytest.raises(UnsupportedError, match="no engine runs the original"):
        onnxtile.reduce(fixed, "onnx_ir.passes.common:IdentityEliminationPass")
    answers = iter([True, False, True, True])
    with pytest.raises(UnsupportedError, match="the failure doesn't repeat: the check says no, after infer-shapes"):
        onnxtile.reduce(network(), "infer-shapes", check=lambda original, lowered: next(answers))


def test_a_function_of_the_callers_may_check() -> None:
    def no_tanh(original: ir.Model, lowered: ir.Model) -> bool:
        return lowered is original or all(node.op_type != "Nonesuch" for node in lowered.graph)

    assert onnxtile.reduce(network(), f"infer-shapes,{HERE}SwapsSub", check=no_tanh) is None
    found = onnxtile.reduce(network(), f"{HERE}Raises{{how=invalid}}", check=no_tanh)
    assert found is not None and found.nodes == ("Tanh tanh",)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    onnx.save(network(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_the_command_and_what_it_writes(cli: Cli, path: Path) -> None:
    status, out, err = cli("reduce", "net.onnx", "--passes", f"infer-shapes,{HERE}LosesAlpha,decompose-gemm")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert said.startswith(f"guilty: {HERE}LosesAlpha ")
    assert "differs on whole numbers" in said and "15 nodes became 1 (" in said and "Gemm fc" in said
    folder = path.with_name("net.reduced")
    assert sorted(each.name for each in folder.iterdir()) == [
        "command.txt", "inputs.npz", "lowered.onnx", "model.onnx", "report.json",
    ]  # fmt: skip
    report = json.loads((folder / "report.json").read_text())
    assert report["versions"]["onnxtile"] == onnxtile.__version__
    del report["versions"]
    assert (report["schema"], report["fails"], report["pass"]) == ("onnxtile.reduce/1", True, f"{HERE}LosesAlpha")
    assert report["nodes"] == ["Gemm fc"] and report["inputs_fail"] is True
    run, verify = [shlex.split(line) for line in (folder / "command.txt").read_text().splitlines()]
    assert (cli(*run[1:])[0], cli(*verify[1:])[0]) == (0, 1)
    status, out, err = cli("reduce", path, "--passes", f"{HERE}LosesAlpha", "-o", "again", "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert document == report | {"output": "again", "cuts": document["cuts"], "failure": document["failure"]}
    assert sorted(each.name for each in path.parent.iterdir()) == ["again", "net.onnx", "net.reduced"]


def test_nothing_fails(cli: Cli, path: Path) -> None:
    status, out, err = cli("reduce", path, "--passes", "infer-shapes,decompose-gemm")
    assert (status, err) == (1, "")
    assert "nothing fails: the check holds after all passes" in out
    status, out, _ = cli("reduce", path, "--passes", "infer-shapes", "--json")
    assert (status, json.loads(out)) == (1, {"schema": "onnxtile.reduce/1", "fails": False, "output": None})
    assert [each.name for each in path.parent.iterdir()] == ["net.onnx"]


CHECK = """
import sys
original, lowered = (open(path, "rb").read() for path in sys.argv[1:3])
assert b"Gemm" in lowered or b"Gemm" not in original or b"Tanh" not in original, "a Gemm is gone beside a Tanh"
"""


def test_a_command_may_check(cli: Cli, path: Path) -> None:
    path.with_name("of mine.py").write_text(CHECK)
    command = f"{shlex.quote(sys.executable)} 'of mine.py' {{original}} {{lowered}}"
    text = "infer-shapes,decompose-gemm,unroll-tiles"
    status, out, _ = cli("reduce", path, "--passes", text, "--check", command, "-o", "small", "--json")
    document = json.loads(out)
    assert (status, document["pass"]) == (0, "decompose-gemm")
    assert document["failure"] == "the check ended with status 1: AssertionError: a Gemm is gone beside a Tanh"
    assert document["nodes"] == ["Gemm fc", "Tanh tanh"]
    run, check = [shlex.split(line) for line in Path("small", "command.txt").read_text().splitlines()]
    assert cli(*run[1:])[0] == 0
    assert check[1:] == ["of mine.py", "small/model.onnx", "small/lowered.onnx"]


def test_checks_that_cannot_be_are_refused(cli: Cli, path: Path) -> None:
    def reduce(*more: object) -> tuple[int, str, str]:
        return cli("reduce", path, "--passes", f"infer-shapes,{HERE}SwapsSub", *more)

    one_line(reduce("--check", "no-such-program {lowered}"), "there's no program 'no-such-program'")
    one_line(reduce("--check", ""), "there's no program ''")
    one_line(reduce("--check", "true 'half"), "can't be read: no closing quotation")
    one_line(reduce("--check", "true {original}"), "doesn't look at the result: write {lowered}")
    one_line(reduce("--check", "true {lowered}", "--timeout", "0"), "timeout is 0 s: give more than 0")
    one_line(reduce("--check", "false {lowered}"), "the check fails on the model itself, before any pass: the check e")
    hangs = f"{shlex.quote(sys.executable)} -c 'import time; time.sleep(9)' {{lowered}}"
    one_line(reduce("--check", hangs, "--timeout", "0.1"), "took more than 0.1 s: give --timeout more, or")
    full = path.with_name("full")
    full.mkdir()
    (full / "mine").touch()
    one_line(reduce("-o", full), "full is there already and isn't empty")
    one_line(reduce("-o", path), "net.onnx isn't a folder")
    one_line(reduce("-o", "no/where"), "its folder doesn't exist")
    assert sorted(each.name for each in path.parent.iterdir()) == ["full", "net.onnx"]


TWO = """<ir_version: 8, opset_import: ["" : 17]> g (float[4] x, float[4] y) => (float[4] z)
{ d = Sub (x, y)  z = Relu (d) }"""


def test_a_command_that_hangs_may_count_as_a_no(cli: Cli, path: Path) -> None:
    onnx.save(parse(TWO), path)
    script = path.with_name("hangs.py")
    script.write_text(
        "import sys, time\nfirst, second = (open(path, 'rb').read() for path in sys.argv[1:3])\n"
        "first == second or time.sleep(9)"
    )
    command = f"{shlex.quote(sys.executable)} hangs.py {{original}} {{lowered}}"
    call = ["reduce", path, "--passes", f"{HERE}SwapsSub", "--check", command, "--timeout", "0.5"]
    status, out, _ = cli(*call, "--timeout-fails", "--json")
    assert (status, json.loads(out)["failure"]) == (0, "the check took more than 0.5 s")
