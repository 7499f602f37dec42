"""The base of forms, and the one that keeps calls."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import FORMS
from onnxtile.tiling.legality import Ability
from onnxtile.tiling.plan import Axis, TilePlan
from onnxtile.tiling.sinks.ir import IrSink
from onnxtile.tiling.tiled_product import Operand, TiledProduct

FLOAT = ir.DataType.FLOAT
PRODUCT = TiledProduct(TilePlan(*(Axis.cut(8, 4) for _ in "mkn")), 2, 2, (FLOAT, FLOAT), "chain")


def test_a_form_that_keeps_calls_writes_nothing() -> None:
    sink, form = IrSink(18, {}), FORMS["function"]
    form.write(sink, PRODUCT, Operand("A"), Operand("B"), "C", "")
    assert sink.nodes == []
    assert list(form.constants(PRODUCT, "B", "w", np.zeros((8, 8), np.float32))) == []


def test_a_form_needs_its_two_methods_and_no_ability() -> None:
    assert Form.ability == Ability()
    with pytest.raises(TypeError, match="abstract method"):
        Form()  # type: ignore[abstract]  # that's the point


def test_every_form_is_one() -> None:
    assert all(isinstance(form, Form) and form.name == name for name, form in FORMS.items())
    assert [name for name, form in FORMS.items() if form.keeps_calls] == ["function"]
