"""A form that says nothing else writes nothing."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import FORMS
from onnxtile.tiling.plan import Axis, TilePlan
from onnxtile.tiling.sinks.ir import IrSink
from onnxtile.tiling.tiled_product import Operand, TiledProduct

FLOAT = ir.DataType.FLOAT
PRODUCT = TiledProduct(TilePlan(*(Axis.cut(8, 4) for _ in "mkn")), 2, 2, (FLOAT, FLOAT), "chain")


def test_the_base_keeps_calls_as_they_are() -> None:
    sink = IrSink(18, {})
    Form().write(sink, PRODUCT, Operand("A"), Operand("B"), "C", "")
    assert sink.nodes == []
    assert list(Form().constants(PRODUCT, "B", "w", np.zeros((8, 8), np.float32))) == []


def test_every_form_is_one() -> None:
    assert all(isinstance(form, Form) and form.name == name for name, form in FORMS.items())
    assert [name for name, form in FORMS.items() if form.keeps_calls] == ["function"]
