"""Rules of shape inference for classical models (ai.onnx.ml), for which neither library has one."""

from __future__ import annotations

import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext, registry

DOMAIN = "ai.onnx.ml"


def install() -> None:
    """Register the rules with the library; they're the same for every model."""
    for op_type in ("Scaler", "Normalizer", "Imputer"):
        registry.register(DOMAIN, op_type, 1)(_like_the_input)
    registry.register(DOMAIN, "FeatureVectorizer", 1)(_feature_vectorizer)
    for op_type, attribute in (("LinearRegressor", "targets"), ("TreeEnsembleRegressor", "n_targets")):
        registry.register(DOMAIN, op_type, 1)(_Regressor(attribute))


def _like_the_input(context: ShapeInferenceContext, node: ir.Node) -> None:
    """Give the result the input's shape; of Imputer its type too, where the others make float32."""
    data = node.inputs[0] if node.inputs else None
    if data is not None:
        dtype = data.dtype if node.op_type == "Imputer" else ir.DataType.FLOAT
        context.set_shape_and_dtype(node.outputs[0], data.shape, dtype)


def _feature_vectorizer(context: ShapeInferenceContext, node: ir.Node) -> None:
    """Give the result a row for each of the first input's, as long as the lengths that are told come to."""
    lengths = node.attributes.get("inputdimensions")
    _rows_of(context, node, None if lengths is None else sum(lengths.as_ints()))


class _Regressor:
    """The rule of an operator that makes a column a target, as many as an attribute says."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute

    def __call__(self, context: ShapeInferenceContext, node: ir.Node) -> None:
        said = node.attributes.get(self._attribute)
        if said is not None:
            _rows_of(context, node, said.as_int())
        elif node.op_type == "LinearRegressor":
            _rows_of(context, node, 1)  # the schema's default


def _rows_of(context: ShapeInferenceContext, node: ir.Node, columns: int | None) -> None:
    data = node.inputs[0] if node.inputs else None
    if data is None or data.shape is None or len(data.shape) not in (1, 2) or columns is None:
        return
    rows = data.shape[0] if len(data.shape) == 2 else 1  # a vector is one row
    context.set_shape_and_dtype(node.outputs[0], ir.Shape([rows, columns]), ir.DataType.FLOAT)
