"""Test which constants are cut ahead of time, and what is left of calls when they are written out."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir.io.load import from_proto
from onnxtile.passes import InferShapes, TileMatMul
from onnxtile.tiling.call_writer import CallWriter
from onnxtile.tiling.forms.table import form_of
from onnxtile.tiling.limits import Limits
from tests.support import parse

W = np.arange(48, dtype=np.float32).reshape(6, 8)


def compact(body: str) -> ir.Model:
    text = f'<ir_version: 10, opset_import: ["" : 18]> g (float[5,6] x, float[6,8] v) => (float[A,B] y) {{ {body} }}'
    model = from_proto(parse(text, w=W))
    InferShapes()(model)
    TileMatMul(Limits(4, 4, 4))(model)
    return model


def test_a_constant_that_calls_share_is_cut_once() -> None:
    model = compact("[a] p = MatMul (x, w)  [b] q = MatMul (x, w)  y = Add (p, q)")
    writer = CallWriter(model, form_of("unrolled"), "pretile")
    assert [cut.prefix for cut in writer.cuts] == ["w"]
    assert [writer.precut(call) for call in writer.products] == [(False, True)] * 2
    (cut,) = writer.cuts
    tiles = dict(writer.arrays(cut))
    np.testing.assert_array_equal(tiles["w/k0_n1"], W[:4, 4:])
    assert {name: tile.shape for name, tile in tiles.items()} == {
        "w/k0_n0": (4, 4), "w/k0_n1": (4, 4), "w/k1_n0": (2, 4), "w/k1_n1": (2, 4),
    }  # fmt: skip
    assert (cut.blank.shape, cut.blank.strides) == ((6, 8), (0, 0))


@pytest.mark.parametrize(("body", "weights"), [("y = MatMul (x, v)", "pretile"), ("y = MatMul (x, w)", "split")])
def test_other_operands_are_cut_at_run_time(body: str, weights: str) -> None:
    writer = CallWriter(compact(body), form_of("unrolled"), weights)
    assert writer.cuts == []
    assert [writer.precut(call) for call in writer.products] == [(False, False)]


def test_dropped_calls_leave_no_weights_functions_or_imports() -> None:
    model = compact("[a] y = MatMul (x, w)")
    writer = CallWriter(model, form_of("batched"), "pretile")
    (call,) = writer.products
    assert (writer.origin(call), writer.outer(call)) == ("a", "")
    writer.drop_calls()
    assert not model.graph.initializers
    assert not model.functions
    assert set(model.opset_imports) == {""}


def test_the_function_form_writes_nothing_out() -> None:
    writer = CallWriter(compact("y = MatMul (x, w)"), form_of("function"), "pretile")
    assert (writer.products, writer.cuts) == ({}, [])


def test_what_cannot_be_written() -> None:
    with pytest.raises(UsageError, match="weights is 'whole': take one of pretile, split"):
        CallWriter(compact("y = MatMul (x, w)"), form_of("unrolled"), "whole")
    text = '<ir_version: 10, opset_import: ["" : 18]> g (float[M,6] x) => (float[M,8] y) { [a] y = MatMul (x, w) }'
    model = from_proto(parse(text, w=W))
    InferShapes()(model)
    TileMatMul(Limits(4, 4, 4), form="batched")(model)
    with pytest.raises(UnsupportedError, match="'a': the unrolled form can't cut an M known only at run time; bind"):
        CallWriter(model, form_of("unrolled"), "pretile")
