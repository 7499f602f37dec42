"""reduce: the guilty pass is named, a few nodes are left, and what is written repeats the failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import ModelError, PassError, UnsupportedError, UsageError
from onnxtile.passes import InferShapes
from tests.planted import SwapsSub, WrongAxis, network
from tests.support import parse, run_onnxruntime

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
    assert [node.split()[0] for node in found.nodes] == ["Sub"]
    assert not found.model.functions


@pytest.mark.parametrize(
    ("passes", "kind", "words"),
    [
        ("infer-shapes,fold", UsageError, "pipeline, column 14: pass 'fold' is unknown: `onnxtile passes` lists"),
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
        """<ir_version: 8, opset_import: ["" : 17]> g (float[b,k] x, int64[1] rows) => (float[p,q] y)
        {
            seven = Constant <value_ints = [7]> ()  s = Concat <axis = 0> (rows, seven)
            h = Identity (x)  y = Reshape (h, s)
        }"""
    )
    with pytest.raises(UnsupportedError, match="no engine runs the original's part"):
        onnxtile.reduce(fixed, "onnx_ir.passes.common:IdentityEliminationPass")
    answers = iter([True, False, True, True])
    with pytest.raises(UnsupportedError, match="the failure doesn't repeat: the check says no, after infer-shapes"):
        onnxtile.reduce(network(), "infer-shapes", check=lambda original, lowered: next(answers))
