"""Products between quantizers are seen as those of integers, where types matter."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.engine.limits import EngineLimits
from onnxtile.operators.contractions import contractions
from onnxtile.passes import InferShapes
from onnxtile.passes.rewrites.quantized_products import as_multiplied
from onnxtile.tiling.limits import Limits
from tests.engine.strategies import engine_of
from tests.passes.test_decompose_quantized import qdq


@pytest.mark.parametrize("by_types", [True, False])
def test_types_of_what_is_dequantized(by_types: bool) -> None:
    model = ir.from_proto(qdq("uint8", "int8", 1))
    InferShapes()(model)
    limits = EngineLimits(engine_of()) if by_types else Limits(4, 4, 4)
    (product,) = as_multiplied(contractions(model), model, limits)
    integers = (ir.DataType.UINT8, ir.DataType.INT8)
    assert product.types == (integers if by_types else (ir.DataType.FLOAT, ir.DataType.FLOAT))
