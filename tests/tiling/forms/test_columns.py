"""A product that's given transposed, as of a Conv with its channels first: in form batched, tiles are transposed."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from tests.commands import FORMS
from tests.support import operators, run_onnxruntime, run_reference, whole

F32 = np.dtype(np.float32)


def convolution(channels: int, filters: int, length: int, batch: int | str = 1) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 18]>
        g (float[{batch},{channels},{length}] x) => (float[{batch},{filters},{length}] y) {{
            [conv] y = Conv (x, w)
        }}""")
    model.graph.initializer.append(numpy_helper.from_array(whole([filters, channels, 1], F32, 1), "w"))
    return model


def behind_the_product(model: onnx.ModelProto) -> list[str]:
    lowered = operators(onnxtile.lower(model, (4, 4, 4), form="batched"))
    return lowered[lowered.index("MatMul") + 1 :]


def test_columns_of_tiles_are_transposed_at_once() -> None:
    assert behind_the_product(convolution(6, 8, 8)) == ["ReduceSum", "Reshape", "Transpose", "Reshape", "Reshape"]


def test_a_ragged_result_is_cut_off_at_the_end() -> None:
    assert behind_the_product(convolution(4, 7, 5)) == ["Reshape", "Transpose", "Reshape", "Slice", "Reshape"]


def test_filters_of_one_tile_are_not_joined() -> None:
    assert behind_the_product(convolution(4, 3, 8)) == ["Reshape", "Transpose", "Reshape"]


def test_images_of_one_batch_are_rows_of_one_product_and_not_transposed_by_tiles() -> None:
    assert behind_the_product(convolution(4, 8, 4, batch=2))[:2] == ["Transpose", "Reshape"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("batch", "pad_tiles"), [(1, False), ("N", False), (1, True)])
def test_every_form_gives_what_the_convolution_gives(form: str, batch: int | str, pad_tiles: bool) -> None:
    model = convolution(6, 7, 5, batch)
    lowered = onnxtile.lower(model, (4, 4, 4), form=form, pad_tiles=pad_tiles)
    feeds = {"x": whole([1 if batch == 1 else 3, 6, 5], F32, 2)}
    for run in (run_reference, run_onnxruntime):
        np.testing.assert_array_equal(run(lowered, feeds)[0], run_reference(model, feeds)[0])
    assert onnxtile.verify(model, lowered).proven
