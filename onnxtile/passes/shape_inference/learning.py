"""Rules of shape inference for classical models (ai.onnx.ml), for which neither library has one."""

from __future__ import annotations

import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.attributes import input_of
from onnxtile.passes.shape_inference.rules import Rule


def _like_the_input(context: ShapeInferenceContext, node: ir.Node) -> None:
    """Give the result the input's shape; of Imputer its type too, where the others make float32."""
    data = input_of(node, 0)
    if data is not None:
        dtype = data.dtype if node.op_type == "Imputer" else ir.DataType.FLOAT
        context.set_shape_and_dtype(node.outputs[0], data.shape, dtype)


def _feature_vectorizer(context: ShapeInferenceContext, node: ir.Node) -> None:
    """Give the result a row for each of the first input's, as long as the lengths in the attribute come to."""
    lengths = node.attributes.get("inputdimensions")
    _set_rows(context, node, None if lengths is None else sum(lengths.as_ints()))


def _regressor(context: ShapeInferenceContext, node: ir.Node) -> None:
    """Give the result a column for each target; LinearRegressor's schema has a default, 1."""
    linear = node.op_type == "LinearRegressor"
    targets = node.attributes.get("targets" if linear else "n_targets")
    _set_rows(context, node, targets.as_int() if targets is not None else 1 if linear else None)


def _set_rows(context: ShapeInferenceContext, node: ir.Node, columns: int | None) -> None:
    data = input_of(node, 0)
    if data is None or data.shape is None or len(data.shape) not in (1, 2) or columns is None:
        return
    rows = data.shape[0] if len(data.shape) == 2 else 1  # a vector is one row
    context.set_shape_and_dtype(node.outputs[0], ir.Shape([rows, columns]), ir.DataType.FLOAT)


LEARNING: dict[tuple[str, str], Rule] = {
    **{("ai.onnx.ml", op_type): _like_the_input for op_type in ("Scaler", "Normalizer", "Imputer")},
    ("ai.onnx.ml", "FeatureVectorizer"): _feature_vectorizer,
    **{("ai.onnx.ml", op_type): _regressor for op_type in ("LinearRegressor", "TreeEnsembleRegressor")},
}
