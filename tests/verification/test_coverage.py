"""The tiles of a product cover it once: any change of what a node says it computes, or of its wiring, is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import helper

import onnxtile
from onnxtile.errors import OnnxtileError
from onnxtile.ir.metadata import TILE
from tests.support import make, matmul, run_reference

SIZE = st.integers(1, 12)


def product(m: int, k: int, n: int) -> onnx.ModelProto:
    """Both operands are fed: all that's known of the tiles is what the graph says."""
    info = helper.make_tensor_value_info
    node = helper.make_node("MatMul", ["A", "B"], ["Y"], "product")
    return make(helper.make_graph([node], "g", [info("A", 1, [m, k]), info("B", 1, [k, n])], [info("Y", 1, [m, n])]))


@st.composite
def plans(draw: st.DrawFn) -> tuple[onnx.ModelProto, onnx.ModelProto, dict[str, Any]]:
    """A product, and how it was cut."""
    how = {
        "accumulate": draw(st.sampled_from(["chain", "tree", "sum"])),
        "pad_tiles": draw(st.booleans()),
        "max_fan_in": draw(st.none() | st.integers(2, 4)),
        "max_fan_out": draw(st.none() | st.integers(2, 4)),
    }
    m, k, n = draw(SIZE), draw(SIZE), draw(SIZE)
    limits = [draw(st.none() | st.integers(1, 5)) for _ in range(3)]
    model = product(m, k, n) if draw(st.booleans()) else matmul([m, k], [k, n], [m, n])
    return model, onnxtile.lower(model, tuple(limits), form="unrolled", **how), how


def boxes(model: onnx.ModelProto) -> list[Any]:
    """The metadata entries in which tile products say what they compute."""
    return [pair for node in model.graph.node for pair in node.metadata_props if pair.key == TILE]


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


@given(plans())
def test_every_plan_covers_its_product(plan: tuple[onnx.ModelProto, onnx.ModelProto, dict[str, Any]]) -> None:
    model, lowered, _ = plan
    verdict = onnxtile.verify(model, lowered)
    assert verdict.equivalent, verdict
    assert sum(region.tiles for region in verdict.regions) == len(boxes(lowered))
    assert all(region.method == "exact" for region in verdict.regions)


@given(plans(), st.data())
def test_a_product_that_says_another_tile_is_told(
    plan: tuple[onnx.ModelProto, onnx.ModelProto, dict[str, Any]], data: st.DataObject
) -> None:
    model, lowered, how = plan
    assume(len(boxes(lowered)) > 1 and not how["pad_tiles"])
    wrong = copied(lowered)
    first, other = data.draw(st.permutations(boxes(wrong)))[:2]
    kind = data.draw(st.sampled_from(["exchanged", "twice", "nothing"]))
    if kind == "exchanged":
        first.value, other.value = other.value, first.value
    elif kind == "twice":
        first.value = other.value
    else:
        first.value = ""
    verdict = onnxtile.verify(model, wrong)
    assert not verdict.equivalent, kind
    assert verdict.regions[0].method == "structure"
    assert verdict.regions[0].where


def rewired(lowered: onnx.ModelProto, data: st.DataObject) -> onnx.ModelProto:
    """One input of a node reads another value that was made before, or two inputs or outputs are exchanged."""
    wrong = copied(lowered)
    nodes = wrong.graph.node
    kind = data.draw(st.sampled_from(["another value", "inputs exchanged", "outputs exchanged", "input lost"]))
    wide = {
        "another value": [node for node in nodes if node.input],
        "inputs exchanged": [node for node in nodes if len(node.input) > 1],
        "outputs exchanged": [node for node in nodes if len(node.output) > 1],
        "input lost": [node for node in nodes if len(node.input) > 2],
    }[kind]
    assume(wide)
    node = data.draw(st.sampled_from(wide))
    if kind == "another value":
        before = [name for each in nodes for name in each.output][: [each is node for each in nodes].index(True)]
        assume(before)
        node.input[data.draw(st.integers(0, len(node.input) - 1))] = data.draw(st.sampled_from(before))
    elif kind == "input lost":
        del node.input[data.draw(st.integers(0, len(node.input) - 1))]
    else:
        names = node.input if kind == "inputs exchanged" else node.output
        one, two = data.draw(st.permutations(range(len(names))))[:2]
        names[one], names[two] = names[two], names[one]
    return wrong


@given(plans(), st.data())
def test_any_other_wiring_that_makes_something_else_is_told(
    plan: tuple[onnx.ModelProto, onnx.ModelProto, dict[str, Any]], data: st.DataObject
) -> None:
    model, lowered, _ = plan
    wrong = rewired(lowered, data)
    rng = np.random.default_rng(0)
    feeds = {
        value.name: rng.standard_normal([dim.dim_value for dim in value.type.tensor_type.shape.dim]).astype(np.float32)
        for value in model.graph.input
    }
    (wanted,) = run_reference(lowered, feeds)
    try:
        onnx.checker.check_model(wrong)
        (got,) = run_reference(wrong, feeds)
        same = got.shape == wanted.shape and np.allclose(got, wanted, rtol=1e-4, atol=1e-4)
    except (onnx.checker.ValidationError, TypeError, ValueError, RuntimeError, IndexError):
        same = False  # nobody would miss that; verify has to say so all the same
    try:
        equivalent = onnxtile.verify(model, wrong).equivalent
    except OnnxtileError:  # it isn't a model
        equivalent = False
    assert same or not equivalent


GARBAGE = [
    "", ",", ",,", "m", "m0:4", "m0:4,k0:16", "m0:4,k0:16,n0:16,x0:1", "m-1:4,k0:16,n0:16", "m4:0,k16:0,n16:0",
    "m0:,k0:,n0:",
    "a0:4,b0:16,c0:16", "m0:4,k0:16,n" + "9" * 5000 + ":", "m" + "9" * 5000, "m0:99999999999999999999,k0:16,n0:16",
    "m99999999999,k16,n16", "m٠:٤,k0:16,n0:16", "m²:4,k0:16,n0:16", "\0", "[red]m0:4", "m0:4\nk0:16",
    "m1e9:2,k0:16,n0:16",
    " m0:4,k0:16,n0:16", "m0x0:4,k0:16,n0:16",
]  # fmt: skip


@pytest.mark.parametrize("form", ["unrolled", "batched", "function"])
@pytest.mark.parametrize("text", GARBAGE, ids=lambda text: ascii(text[:24]))
def test_garbage_instead_of_a_tile_is_ignored_or_told(text: str, form: str) -> None:
    """Whoever wrote the model wrote its metadata; a free dimension isn't made as long as that says, either."""
    model = matmul(["batch", 64], [64, 32], ["batch", 32]) if form == "batched" else matmul([8, 64], [64, 32], [8, 32])
    lowered = onnxtile.lower(model, (None if form == "batched" else 4, 16, 16), form=form)
    for every in (False, True):
        wrong = copied(lowered)
        nodes = [*wrong.graph.node, *(node for each in wrong.functions for node in each.node)]
        found = [pair for node in nodes for pair in node.metadata_props if pair.key == TILE]
        for pair in found if every else found[:1]:
            pair.value = text
        verdict = onnxtile.verify(model, wrong)
        assert verdict.equivalent or verdict.regions[0].reason


@given(st.text(alphabet="mkn0123456789:,-+ ", max_size=24))
def test_any_text_instead_of_a_tile(text: str) -> None:
    model = matmul([8, 32], [32, 32], [8, 32])
    lowered = onnxtile.lower(model, (4, 16, 16))
    was = boxes(lowered)[0].value
    boxes(lowered)[0].value = text
    verdict = onnxtile.verify(model, lowered)
    assert text != was or verdict.equivalent
    assert verdict.equivalent or verdict.regions[0].where


def test_words_say_what_is_missing_and_where() -> None:
    model = product(8, 32, 8)
    lowered = onnxtile.lower(model, (4, 16, 8))
    add = next(node for node in lowered.graph.node if node.op_type == "Add")
    concat = lowered.graph.node[-1]
    concat.input[0] = add.input[0]
    (region,) = onnxtile.verify(model, lowered).regions
    assert region.reason is not None
    assert "C's part m0:4,n0:8, sums up k 0:16 of 0:32" in region.reason
    assert concat.name in region.where
