"""Test what is made up to run a model on, and models that ask for what nobody can make up, or compute."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import UnsupportedError
from onnxtile.verification import inputs
from tests.support import matmul, parse


def chain(length: int) -> onnx.ModelProto:
    nodes = "".join(f"i{each + 1} = Identity (i{each})\n" for each in range(length))
    text = '<ir_version: 8, opset_import: ["" : 17]> g (int64[3] i0, float[5,2] t) => (float[3,2] y) {'
    return parse(f"{text} {nodes} y = Gather (t, i{length}) }}")


@pytest.mark.parametrize(
    ("shape", "words"), [([2**31 - 1, 8], "2147483647x8"), ([1] * 65 + [9], "1x1x"), ([2**62, 2**62], "x")]
)
def test_more_than_can_be_made_up_is_refused(shape: list[int], words: str) -> None:
    model = ir.Model(ir.Graph([ir.val("x", dtype=ir.DataType.FLOAT, shape=shape)], [], nodes=[]), ir_version=8)
    with pytest.raises(UnsupportedError, match=rf"input 'x' is .*{words}.*, and at most .*--bind.*--input"):
        inputs.feeds(model, "normal", np.random.default_rng(0))


@pytest.mark.parametrize(("most", "fits"), [(70, True), (69, False)])
def test_the_bound_is_on_all_inputs_together(most: int, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[5,8] x, float[5,6] z) => (float[5,14] y)
        { y = Concat <axis = 1> (x, z) }"""
    )
    monkeypatch.setattr(inputs, "MOST_ELEMENTS", most)
    if fits:
        assert onnxtile.capture(model, op="Concat")["y"].shape == (5, 14)
        return
    for call in (lambda: onnxtile.capture(model, op="Concat"), lambda: onnxtile.verify(model, model, method="bound")):
        with pytest.raises(UnsupportedError, match="input 'z' is 5x6, and at most 69 numbers"):
            call()


def test_operands_of_a_proof_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    lowered = onnxtile.lower(model, (4, 4, 4))
    monkeypatch.setattr("onnxtile.verification.regions.MOST_NUMBERS", 63)
    (region,) = onnxtile.verify(model, lowered).regions
    assert (region.status, region.method) == ("tested", "bound")
    assert "has 64 elements" in str(region.note)


def test_indices_are_found_behind_any_chain() -> None:
    model = onnxtile.ir.io.load.from_proto(chain(3000))
    drawn = [inputs.feeds(model, "normal", np.random.default_rng(seed))["i0"] for seed in range(5)]
    assert {int(each) for array in drawn for each in array} == set(range(5))


def test_an_axis_that_the_table_lacks_tells_nothing() -> None:
    model = ir.from_proto(chain(1))
    model.graph[-1].attributes["axis"] = ir.AttrInt64("axis", 7)
    assert inputs.feeds(model, "normal", np.random.default_rng(0))["i0"].shape == (3,)


def test_a_cast_to_no_type_is_a_difference() -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    lowered = onnxtile.lower(model, (4, 4, 4))
    node = lowered.graph.node[-1]
    output, node.output[0] = node.output[0], "inner"
    lowered.graph.node.append(onnx.helper.make_node("Cast", ["inner"], [output], "cast", to=4096))
    (region,) = onnxtile.verify(model, lowered).regions
    assert not region.equivalent
    assert "4096 is not a valid DataType" in str(region.reason)


def test_a_product_without_an_operand_is_refused_by_the_engines() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> g (float[2,2] a) => (float[2,2] y)
        { y = com.microsoft.FusedMatMul (a) }"""
    model = onnx.parser.parse_model(text)
    other = onnx.parser.parse_model(text.replace("com.microsoft.FusedMatMul", "Relu"))
    with pytest.raises(onnxtile.OnnxtileError):
        onnxtile.verify(model, other, method="bound")
