"""Write linear models of ai.onnx.ml out: scores = transform(X @ coefficients' + intercepts), and the best label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.score_transforms import transform_of, transform_refusals, transformed
from onnxtile.tiling.legality import Refusal, type_refusals

FLOAT, INT64 = ir.DataType.FLOAT, ir.DataType.INT64


@dataclass(frozen=True)
class DecomposeLinear(Decompose):
    """Scores = transform(X @ coefficients' + intercepts), for every linear model of ai.onnx.ml that exceeds `max`.

    X is taken as float, as onnxruntime has it. A classifier gives the label of the first of the largest scores; of one
    row of coefficients and two labels, scores are -s and s.
    """

    operators = lowered_by("decompose-linear")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node = product.node
        for name, attribute in node.attributes.items():
            if attribute.is_ref():
                yield Refusal("attribute", f"its attribute {name} is given by the function's caller; write it down")
        yield from type_refusals(product, (FLOAT, ir.DataType.DOUBLE, INT64, ir.DataType.INT32))
        x = node.inputs[0]
        if product.reason or x is None or x.shape is None:
            return
        if len(x.shape) > 2:
            yield Refusal("shape", f"X has {len(x.shape)} axes, of which engines read two; reshape it")
        count, (_, k, _) = _floats(node, "coefficients").size, product.size.axes
        rows = _rows(product)
        if not isinstance(k, int) or rows is None or rows < 1 or count != rows * k:
            yield Refusal("coefficients", f"it has {count} coefficients, no rows of {k}, the features of X")
            return
        if _floats(node, "intercepts").size not in (0, rows):
            words = f"it has {_floats(node, 'intercepts').size} intercepts for {rows} rows of coefficients"
            yield Refusal("intercepts", f"{words}; give as many, or none")
        if node.op_type == "LinearClassifier":
            yield from _label_refusals(node, rows)
        columns = 2 if node.op_type == "LinearClassifier" else rows
        yield from transform_refusals(node, columns, product.opset or 0)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, (_, k, _), rows, opset = product.node, product.size.axes, _rows(product), product.opset or 0
        x = node.inputs[0]
        assert x is not None and x.shape is not None and isinstance(k, int) and rows is not None
        height = x.shape[0] if len(x.shape) == 2 else 1
        if x.dtype != FLOAT:
            x = new.node("Cast", "as_float", [x], {"to": FLOAT.value}, x.shape, FLOAT)
        if len(list(x.shape or ())) == 1:
            shape = new.constant("row", np.array([1, k]), INT64)
            x = new.node("Reshape", "as_row", [x, shape], shape=ir.Shape([1, k]), dtype=FLOAT)
        weights = np.ascontiguousarray(_floats(node, "coefficients").reshape(rows, k).T)
        operands = [x, new.constant("coefficients", weights, FLOAT)]
        scores = new.node("MatMul", "product", operands, shape=ir.Shape([height, rows]), dtype=FLOAT)
        new.stand_in()
        if _floats(node, "intercepts").size:
            operands = [scores, new.constant("intercepts", _floats(node, "intercepts"), FLOAT)]
            scores = new.node("Add", "scores", operands, shape=scores.shape, dtype=FLOAT)
        if node.op_type == "LinearRegressor":
            new.swap_in(transformed(new, scores, transform_of(node), opset))
            return
        if rows == 1:
            opposite = new.node("Neg", "opposite", [scores], shape=scores.shape, dtype=FLOAT)
            scores = new.node("Concat", "both", [opposite, scores], {"axis": 1}, ir.Shape([height, 2]), FLOAT)
        best = new.node("ArgMax", "best", [scores], {"axis": 1, "keepdims": 0}, ir.Shape([height]), INT64)
        labels = _labels(new, node)
        label = new.node("Gather", "label", [labels, best], shape=ir.Shape([height]), dtype=labels.dtype)
        new.swap_in(label, transformed(new, scores, transform_of(node), opset))


def _floats(node: ir.Node, name: str) -> np.ndarray:
    attribute = node.attributes.get(name)
    return np.array([] if attribute is None else attribute.as_floats(), np.float32)


def _rows(product: Contraction) -> int | None:
    """Return how many rows of coefficients there are: targets, or as many as there are."""
    if product.node.op_type == "LinearRegressor":
        return attribute_int(product.node, "targets", 1)
    return product.size.n if isinstance(product.size.n, int) else None


def _label_refusals(node: ir.Node, rows: int) -> Iterator[Refusal]:
    given = [name for name in ("classlabels_ints", "classlabels_strings") if name in node.attributes]
    counts = [len(node.attributes[name].value) for name in given]
    counts = [count for count in counts if count]
    if len(counts) != 1 or counts[0] != max(rows, 2):
        words = f"it has {' and '.join(map(str, counts)) or 'no'} labels for {rows} rows of coefficients"
        yield Refusal("labels", f"{words}; give one list of {max(rows, 2)}")
    if rows == 1 and transform_of(node) != "LOGISTIC":
        words = f"one row of coefficients with post_transform {transform_of(node)}, of which onnx and onnxruntime"
        yield Refusal("post-transform", f"{words} give different scores; take LOGISTIC, or two rows")


def _labels(new: Replacement, node: ir.Node) -> ir.Value:
    ints = node.attributes.get("classlabels_ints")
    if ints is not None and len(ints.as_ints()):
        return new.constant("labels", np.array(ints.as_ints(), np.int64), INT64)
    strings = [text.encode() for text in node.attributes["classlabels_strings"].as_strings()]
    return new.constant("labels", ir.StringTensor(strings, shape=ir.Shape([len(strings)])))
