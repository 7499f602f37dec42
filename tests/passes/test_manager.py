"""The pass manager and the registry: order, checks between passes, errors that name the pass, times."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir.passes.common import IdentityEliminationPass

import onnxtile
from onnxtile.errors import LimitsError, ModelError, PassError, UsageError
from onnxtile.ir import plugins
from onnxtile.passes import BindDims, CheckLimits, DecomposeGemm, InferShapes, TileMatMul, UnrollTiles, registry
from onnxtile.passes.manager import PassManager
from onnxtile.passes.pipelines.pipeline import parse_pipeline
from onnxtile.passes.registry import pass_name
from tests.support import matmul, parse, run_onnxruntime, whole

LIMITS = onnxtile.Limits(4, 4, 4)
F32 = np.dtype(np.float32)


def gemm() -> ir.Model:
    return ir.from_proto(
        parse(
            """<ir_version: 8, opset_import: ["" : 17]> g (float[8,8] x) => (float[8,8] y) {
               h = Identity (x)  [fc] y = Gemm <alpha = 2.0, transB = 1> (h, w, c) }""",
            w=whole([8, 8], F32, 1),
            c=whole([8], F32, 2),
        )
    )


def test_passes_by_object_and_by_name_and_from_elsewhere() -> None:
    model = gemm()
    manager = PassManager(
        [IdentityEliminationPass(), "infer-shapes,decompose-gemm", TileMatMul(LIMITS), CheckLimits(LIMITS)]
    )
    before = ir.to_proto(model)
    result = manager(model)
    assert result.modified
    assert [step.name for step in manager.steps] == [
        "IdentityEliminationPass", "infer-shapes", "decompose-gemm", "tile-matmul", "check-limits",
    ]  # fmt: skip
    assert [step.modified for step in manager.steps] == [True, False, True, True, False]
    assert all(step.seconds > 0 for step in manager.steps)
    compact = ir.to_proto(model)
    feeds = {"x": whole([8, 8], F32, 3)}
    np.testing.assert_array_equal(run_onnxruntime(compact, feeds)[0], run_onnxruntime(before, feeds)[0])
    assert model.ir_version == 8


@pytest.mark.parametrize(
    "each", [InferShapes(), DecomposeGemm(LIMITS), TileMatMul(LIMITS), UnrollTiles(), CheckLimits(LIMITS)], ids=str
)
def test_a_second_run_changes_nothing(each: ir.passes.InPlacePass) -> None:
    model = gemm()
    PassManager([InferShapes(), DecomposeGemm(LIMITS), TileMatMul(LIMITS), UnrollTiles()])(model)
    InferShapes()(model)
    before = ir.to_proto(model).SerializeToString()
    assert not each(model).modified
    assert ir.to_proto(model).SerializeToString() == before


def test_a_pass_prints_as_it_is_made() -> None:
    assert str(TileMatMul(LIMITS)).startswith("TileMatMul(max=4,4,4, accumulate='chain'")
    assert [pass_name(shape) for shape in parse_pipeline("infer-shapes,unroll-tiles")] == [
        "infer-shapes",
        "unroll-tiles",
    ]


def test_text_pipelines() -> None:
    passes = parse_pipeline(
        " bind-dims{batch=1 seq=8}, tile-matmul{max=4,*,4 accumulate=tree form=batched},decompose-gemm{}"
    )
    tile = TileMatMul(onnxtile.Limits(4, None, 4), accumulate="tree", form="batched")
    assert passes == [BindDims({"batch": 1, "seq": 8}), tile, DecomposeGemm()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tile-matmul{max=4,4,4 accumulate=heap}", "accumulate is 'heap': take one of chain, tree, sum"),
        ("tile-matmul{max=4,4,4 leave_refused=yes}", "leave_refused is 'yes'; write true or false"),
        ("infer-shapes{deep=true}", "pass infer-shapes: no option 'deep'; it has none"),
        ("unroll-tiles{form=spiral}", "form 'spiral' is unknown"),
    ],
)
def test_bad_options_are_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        PassManager(text)(gemm())


@dataclasses.dataclass(frozen=True)
class Breaks(ir.passes.InPlacePass):
    """Make the model invalid, or fail."""

    how: str = "invalid"

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        if self.how == "raises":
            raise KeyError("lost")
        node = model.graph[0]
        if self.how == "unknown":
            node.op_type = "Nonesuch"
        else:
            node.replace_input_with(0, ir.Value(name="nowhere"))
        return ir.passes.PassResult(model, modified=True)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raises", "pass Breaks failed: KeyError: 'lost'"),
        ("unknown", "pass Breaks left an invalid model: onnx's checker says: No Op registered for Nonesuch"),
        (
            "invalid",
            "pass Breaks left an invalid model: Identity 'h' reads 'nowhere', which nothing before it computes",
        ),
    ],
)
def test_a_pass_that_fails_is_named(how: str, words: str) -> None:
    with pytest.raises(PassError, match=words) as caught:
        PassManager([InferShapes(), Breaks(how)])(gemm())
    assert caught.value.__cause__ is not None


def test_an_invalid_model_is_not_blamed_on_the_first_pass() -> None:
    model = gemm()
    Breaks()(model)
    with pytest.raises(ModelError, match="^Identity 'h' reads 'nowhere'"):
        PassManager([InferShapes()])(model)


def test_a_postcondition_names_its_pass() -> None:
    with pytest.raises(LimitsError, match="pass check-limits: Gemm 'fc' is 8x8x8, over the limits 4,4,4"):
        PassManager("infer-shapes,check-limits{max=4,4,4}")(gemm())
    with pytest.raises(PassError, match="pass tile-matmul: Gemm 'fc' isn't a MatMul yet; run decompose-gemm first"):
        PassManager("infer-shapes,tile-matmul{max=4,4,4}")(gemm())


SQUARE, DYNAMIC = matmul([8, 8], [8, 8], [8, 8]), matmul(["b", 8], [8, 8], ["b", 8])


@pytest.mark.parametrize(
    ("model", "passes", "words"),
    [
        (DYNAMIC, [InferShapes(), TileMatMul(LIMITS)], "M is 'b'; bind it with --bind b=INT"),
        (
            SQUARE,
            [InferShapes(), CheckLimits(onnxtile.Limits(4, None, None))],
            "'product' is 8x8x8, over the limits 4,*,*",
        ),
        (matmul(["b", 4], [4, 4], ["b", 4]), [CheckLimits(LIMITS)], "may exceed 4,4,4: symbolic: M is 'b'"),
        (matmul(["b", 8], [8, 8], ["b", 8], opset=10), [TileMatMul(LIMITS, form="batched")], "opset 10"),
        (matmul([8, 8], [8, 8], [8, 8], opset=6, ir_version=4), [TileMatMul(LIMITS)], "opset 6 isn't one"),
        (SQUARE, [TileMatMul(LIMITS), InferShapes(), BindDims({"q": 1})], "dimension 'q' isn't a free dimension"),
    ],
)
def test_refusals_change_nothing(model: object, passes: list[ir.passes.InPlacePass], words: str) -> None:
    refused = ir.from_proto(model)  # type: ignore[call-overload]  # a ModelProto
    for step in passes[:-1]:
        step(refused)
    before = ir.to_proto(refused).SerializeToString()
    with pytest.raises(onnxtile.OnnxtileError, match=words):
        PassManager([passes[-1]])(refused)
    assert ir.to_proto(refused).SerializeToString() == before


def test_passes_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("breaks", "tests.passes.test_manager:Breaks", registry.ENTRY_POINTS),
            EntryPoint("wrong", "tests.passes.test_manager:LIMITS", registry.ENTRY_POINTS),
        ]
    )
    monkeypatch.setattr(plugins, "entry_points", lambda **select: points.select(**select))
    assert registry.pass_names()[-2:] == ["breaks", "wrong"]
    assert parse_pipeline("breaks{how=raises}") == [Breaks("raises")]
    with pytest.raises(UsageError, match="isn't a class of onnx_ir passes"):
        parse_pipeline("wrong")
