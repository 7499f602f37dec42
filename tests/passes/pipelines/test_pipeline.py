"""Passes made of text and printed as text: types of options, mistakes, names of other packages."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.engine.given import limits_given
from onnxtile.errors import UsageError
from onnxtile.passes import (
    Annotate,
    BindDims,
    CheckLimits,
    DecomposeConvolution,
    DecomposeGemm,
    InferShapes,
    TileMatMul,
    UnrollTiles,
)  # fmt: skip
from onnxtile.passes.pipelines.pipeline import parse_pipeline, passes_of, pipeline_text
from onnxtile.passes.repeat import Repeat
from tests.commands import exact

sizes = st.none() | st.integers(1, 100)
limits = st.builds(onnxtile.Limits, sizes, sizes, sizes)
forms = st.sampled_from(["unrolled", "batched", "loop"])
passes = st.one_of(
    st.just(InferShapes()),
    st.builds(Annotate, st.booleans()),
    st.builds(CheckLimits, limits),
    st.builds(BindDims, st.dictionaries(st.text(max_size=4), st.integers(0, 9), max_size=3)),
    st.builds(DecomposeGemm, st.none() | limits, forms, st.booleans(), st.booleans()),
    st.builds(DecomposeConvolution, limits, conv=st.sampled_from(["gemm", "split"]), max_fan_in=st.integers(2, 9)),
    st.builds(TileMatMul, limits, st.sampled_from(["chain", "tree", "sum"]), forms, pad_tiles=st.booleans()),
    st.builds(UnrollTiles, forms, max_fan_in=st.none() | st.integers(2, 9)),
)
pipelines = st.lists(
    st.recursive(
        passes,
        lambda inner: st.builds(
            Repeat, st.lists(inner, min_size=1, max_size=3).map(tuple), st.none() | st.integers(1, 9)
        ),
        max_leaves=5,
    ),
    min_size=1,
    max_size=4,
)


@given(pipelines)
def test_passes_are_made_of_the_text_that_they_print(made: list[ir.passes.PassBase]) -> None:
    text = pipeline_text(made)
    assert parse_pipeline(text) == made
    assert pipeline_text(parse_pipeline(text)) == text


MISTAKES = {
    "infer-shape": "column 1: pass 'infer-shape' is unknown: `onnxtile passes` lists all, module:Class is one of "
    "yours; did you mean 'infer-shapes'?",
    "infer-shapes, nonesuch{a=1}": "column 15: pass 'nonesuch' is unknown: `onnxtile passes` lists all, module:Class "
    "is one of yours",
    "infer-shapes{deep=true}": "column 14: pass infer-shapes: no option 'deep'; it has none",
    "annotate{clera=true}": "column 10: pass annotate: no option 'clera'; it has clear; did you mean 'clear'?",
    "annotate{clear}": "column 10: pass annotate: option 'clear' has no value; write clear=VALUE",
    "annotate{clear=yes}": "column 16: pass annotate: clear is 'yes'; write true or false",
    "annotate{clear=true clear=true}": "column 21: pass annotate: option 'clear' is given twice; give it once",
    "annotate{infer-shapes}": "column 10: pass annotate holds no passes: its options are written annotate{clear=VALUE}",
    "bind-dims{b=x}": "column 13: pass bind-dims: b is 'x', not a whole number",
    "bind-dims{b=4 b=5}": "column 15: pass bind-dims: option 'b' is given twice; give it once",
    "tile-matmul": "column 1: pass tile-matmul needs max: write tile-matmul{max=...}",
    "tile-matmul{max=4,4}": "column 17: pass tile-matmul: max is '4,4': limits '4,4' have 2 parts, not the 3 of "
    "M,K,N: give three whole numbers above 0, or * for no limit, such as 64,64,64 or *,128,128",
    "tile-matmul{max=4,4,4 accumulate=heap}": "column 34: pass tile-matmul: accumulate is 'heap': take one of "
    "chain, tree, sum",
    "tile-matmul{max=4,4,4 form=spiral}": "column 28: pass tile-matmul: form 'spiral' is unknown: take one of "
    "unrolled, batched, loop, function",
    "tile-matmul{max=engine:systolic-23}": "column 17: pass tile-matmul: max is 'engine:systolic-23': engine "
    "'systolic-23': no such file or directory; did you mean 'systolic-32'?",
    "unroll-tiles{max_fan_in=two}": "column 25: pass unroll-tiles: max_fan_in is 'two', not a whole number",
    "unroll-tiles{max_fan_in=1}": "column 25: pass unroll-tiles: max_fan_in is 1: nothing can be joined or split with "
    "fewer than 2",
    "unroll-tiles{weights=whole}": "column 22: pass unroll-tiles: weights is 'whole': take one of pretile, split",
    "repeat": "column 1: pass repeat needs passes: write repeat{NAME,NAME}",
    "repeat{times=0 infer-shapes}": "column 14: pass repeat: times is 0: write a number of rounds above 0",
    "repeat{times=2 infer-shapes,annotate{clear=1}}": "column 44: pass annotate: clear is '1'; write true or false",
    "NameFixPass{name_generator=all}": "column 28: pass NameFixPass: name_generator is 'all'; text can't say what "
    "it takes (NameGenerator): make the pass in Python",
    "nonesuch:Pass": "column 1: pass 'nonesuch:Pass' can't be imported: ModuleNotFoundError: No "
    "module named 'nonesuch'",
    "onnx:ModelProto": "column 1: pass 'onnx:ModelProto': <class 'onnx.onnx_ml_pb2.ModelProto'> isn't a class of "
    "onnx_ir passes, nor a function of a model",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_with_their_column(text: str) -> None:
    with pytest.raises(UsageError, match=exact(f"pipeline, {MISTAKES[text]}")) as caught:
        parse_pipeline(text)
    line, carets = caught.value.beneath
    column = int(MISTAKES[text].split()[1].rstrip(":"))
    assert (line, carets.index("^") + 1) == (text, column)


@dataclasses.dataclass(frozen=True)
class Typed(ir.passes.InPlacePass):
    """Has a field of each kind."""

    number: float = 0.5
    names: tuple[str, ...] = ()
    pair: tuple[int, int] = (1, 2)
    text: str | None = None
    either: int | str = 0
    factors: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return ir.passes.PassResult(model, modified=False)


@pytest.mark.parametrize(
    "options",
    ["", "number=1e-05", "names=a,b", "pair=3,4", 'text="none"', 'text="a b"', "either=x", "either=7", "a=0.5 b=2.0"],
)
def test_options_are_typed_by_fields(options: str) -> None:
    text = f"{__name__}:Typed" + (f"{{{options}}}" if options else "")
    assert pipeline_text(parse_pipeline(text)) == text


def test_what_fields_do_not_take() -> None:
    for options, words in {
        "number=x": "number is 'x', not a number",
        "number=nan": "number is 'nan', not a number",
        "pair=1": "pair is '1': write 2 values with commas between",
        "a=x": "a is 'x', not a number",
    }.items():
        with pytest.raises(UsageError, match=words):
            parse_pipeline(f"{__name__}:Typed{{{options}}}")
    assert parse_pipeline(f"{__name__}:Typed{{text=none}}") == [Typed()]


@pytest.mark.parametrize(
    "text",
    [
        "IdentityEliminationPass,CommonSubexpressionEliminationPass{size_limit=3},InlinePass",
        "repeat{DeduplicateInitializersPass{size_limit=7}}",
    ],
)
def test_passes_of_onnx_ir_go_by_their_names(text: str) -> None:
    made = parse_pipeline(text)
    assert pipeline_text(made) == text
    kind: Any = type(made[-1].passes[-1] if isinstance(made[-1], Repeat) else made[-1])
    assert kind.__module__.startswith("onnx_ir.passes.common")


def test_passes_are_given_as_objects_and_as_text() -> None:
    made = passes_of([InferShapes(), "infer-shapes,annotate"])
    assert made == [InferShapes(), InferShapes(), Annotate()]
    with pytest.raises(UsageError, match=exact("3 is neither a pass nor the name of one")):
        passes_of([3])  # type: ignore[list-item]  # that's the point


def renames(model: ir.Model, to: str = "g") -> None:
    """graph := a graph of another name."""
    model.graph.name = to


def needs(model: ir.Model, to: str) -> None:
    """Say no default."""


def test_functions_of_a_model_are_given_as_they_are() -> None:
    (made,) = passes_of([renames])
    assert pipeline_text([made]) == f"{__name__}:renames"
    with pytest.raises(UsageError, match=exact(f"needs needs to: write '{__name__}:needs{{to=...}}'")):
        passes_of([needs])
    for cls, name in ((InferShapes, "InferShapes"), (cuts, "cuts")):
        with pytest.raises(UsageError, match=exact(f"{name} is a class of passes, and no pass yet: write {name}()")):
            passes_of([cls])


@onnxtile.rewrite("MatMul")
def cuts(node: ir.Node, op: object, size: onnxtile.Limits | None = None, max: onnxtile.ProductLimits | None = None):  # type: ignore[no-untyped-def]
    """Take limits of one size, and limits by products."""


def test_passes_of_the_user_take_the_limits_of_an_engine() -> None:
    of_engine = limits_given(None, "systolic-32")
    (filled,) = parse_pipeline(f"{__name__}:cuts", of_engine)
    assert filled == cuts(size=onnxtile.Limits(64, 64, 64), max=of_engine)
    given = f"{__name__}:cuts{{size=engine:systolic-32 max=engine:systolic-32}}"
    assert parse_pipeline(given) == [filled]
    assert pipeline_text([filled]) == f"{__name__}:cuts{{size=64,64,64 max=engine:systolic-32}}"


def test_limits_that_depend_on_types_are_no_single_size() -> None:
    engine = limits_given(None, "tpu-like")
    words = "the limits of tpu-like depend on types (2048,256,256 for int8 by int8, 2048,128,128 for "
    for text, option in (
        (f"{__name__}:cuts{{size=engine:tpu-like}}", "size is 'engine:tpu-like'"),
        (f"{__name__}:cuts", "size"),
    ):
        with pytest.raises(UsageError, match=re.escape(f"pass {__name__}:cuts: {option}: {words}")):
            parse_pipeline(text, engine)
    (given,) = parse_pipeline(f"{__name__}:cuts{{size=8,8,8}}", engine)
    assert given == cuts(size=onnxtile.Limits(8, 8, 8), max=engine)
