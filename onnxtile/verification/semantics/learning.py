"""Linear models of ai.onnx.ml: products by coefficients, and what is done to scores in the end."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.semantics.moves import reshaped
from onnxtile.verification.semantics.products import product
from onnxtile.verification.value import UnprovenError, Value, joined

FLOAT, INT64 = ir.DataType.FLOAT, ir.DataType.INT64
ML = "ai.onnx.ml"


@operator("LinearRegressor", attributes="coefficients intercepts post_transform targets", domain=ML)
def _regressor(call: Call) -> Value:
    scores = _scores(call, int(call.attributes.get("targets", 1)))
    if scores.shape[1] == 1 and _transform(call) != "NONE":
        raise UnprovenError("LinearRegressor transforms one score, which engines do in their ways")
    return _transformed(call, scores)


@operator(
    "LinearClassifier",
    attributes="classlabels_ints classlabels_strings coefficients intercepts multi_class post_transform",
    domain=ML,
)
def _classifier(call: Call) -> Results:
    """The label is that of the first of the largest scores, before they're transformed."""
    features = call.value(0).shape[-1]
    scores = _scores(call, len(call.attributes["coefficients"]) // max(features, 1))
    if scores.shape[1] == 1 and _transform(call) != "LOGISTIC":
        raise UnprovenError("LinearClassifier of one row of coefficients, whose scores engines give in their ways")
    if scores.shape[1] == 1:
        negative = call.of("Neg", scores)
        scores = joined([negative, scores], lambda arrays, lead: np.concatenate(arrays, 1 + lead))
    ints = call.attributes.get("classlabels_ints")
    texts = [text.decode() for text in call.attributes.get("classlabels_strings", [])]
    labels = Value.constant(call.field, np.array(ints, np.int64), INT64) if ints else None
    labels = labels or Value.constant(call.field, np.array(texts, object), ir.DataType.STRING)
    if labels.shape != (scores.shape[1],):
        raise UnprovenError(f"LinearClassifier has {labels.shape[0]} labels of {scores.shape[1]} scores")
    best = call.of("ArgMax", scores, axis=1, keepdims=0)
    return [call.of("Gather", labels, best), _transformed(call, scores)]


def _scores(call: Call, rows: int) -> Value:
    x = cast(call, call.value(0), FLOAT)
    x = reshaped(x, [1, *x.shape]) if len(x.shape) == 1 else x
    numbers = np.array(call.attributes.get("coefficients", []), np.float32)
    if len(x.shape) != 2 or numbers.size != rows * x.shape[1]:
        raise UnprovenError(f"{call.node.op_type} has {numbers.size} coefficients for X of {list(x.shape)}")
    weights = Value.constant(call.field, np.ascontiguousarray(numbers.reshape(rows, -1).T), FLOAT)
    scores, intercepts = product(call, x, weights), np.array(call.attributes.get("intercepts", []), np.float32)
    if not intercepts.size:
        return scores
    if intercepts.size != rows:
        raise UnprovenError(f"{call.node.op_type} has {intercepts.size} intercepts for {rows} rows")
    return call.of("Add", scores, Value.constant(call.field, intercepts, FLOAT))


def _transform(call: Call) -> str:
    return str(call.attributes.get("post_transform", b"NONE").decode())


def _transformed(call: Call, scores: Value) -> Value:
    name = _transform(call)
    if name == "NONE":
        return scores
    if name in ("LOGISTIC", "SOFTMAX"):
        return call.of("Sigmoid", scores) if name == "LOGISTIC" else call.of("Softmax", scores, axis=1)
    if name == "SOFTMAX_ZERO":
        return _softmax_zero(call, scores)
    if name == "PROBIT":
        return _probit(call, scores)
    raise UnprovenError(f"{call.node.op_type} has post_transform {name}")


def _softmax_zero(call: Call, x: Value) -> Value:
    """exp(x - largest) of what isn't 0, or x * exp(-largest); over the sum of the former."""
    largest = call.reduced("ReduceMax", x, 1, 18)
    counts = call.of("Greater", call.of("Abs", x), call.constant(1e-7, FLOAT))
    powers = call.of("Exp", call.of("Sub", x, largest))
    parts = call.of("Where", counts, powers, call.of("Mul", x, call.of("Exp", call.of("Neg", largest))))
    counted = call.of("Where", counts, powers, call.constant(0, FLOAT))
    return call.of("Div", parts, call.reduced("ReduceSum", counted, 1, 13))


def _probit(call: Call, x: Value) -> Value:
    """sqrt(2) * erfinv(2 x - 1), by the approximation that onnxruntime has."""
    two, one, half = (call.constant(number, FLOAT) for number in (2, 1, 0.5))
    t = call.of("Sub", call.of("Mul", x, two), one)
    log = call.of("Log", call.of("Mul", call.of("Sub", one, t), call.of("Add", t, one)))
    v = call.of("Add", call.of("Mul", log, half), call.constant(2 / (3.14159 * 0.147), FLOAT))
    under = call.of("Sub", call.of("Mul", v, v), call.of("Mul", log, call.constant(1 / 0.147, FLOAT)))
    size = call.of("Sqrt", call.of("Sub", call.of("Sqrt", under), v))
    root = call.constant(1.41421356, FLOAT)
    sign = call.of("Where", call.of("Less", t, call.constant(0, FLOAT)), call.constant(-1.41421356, FLOAT), root)
    return call.of("Mul", sign, size)
