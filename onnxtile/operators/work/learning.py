"""Classical models (ai.onnx.ml), losses, and steps of optimizers (ai.onnx.preview.training).

A support vector's kernel is counted by its definition; a look-up in a table of labels, and which branches of trees are
taken, depend on data.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.operators.formula import Formula, condition, measure, unknown
from onnxtile.operators.measures import ROWS, X, Y, is_given, known_total, of_input, of_products, says
from onnxtile.operators.value_sizes import elements
from onnxtile.operators.work.elementwise import SIGMOID
from onnxtile.operators.work.matmul import RESULT_ROWS, RESULTS
from onnxtile.operators.work.reduction import softmax
from onnxtile.operators.work.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work, each


def _post_transformed(scores: Formula, rows: Formula) -> Work:
    """What an attribute says is done to scores in the end."""
    return (
        softmax(scores, rows) * _post("SOFTMAX", "SOFTMAX_ZERO")
        + SIGMOID * scores * _post("LOGISTIC")
        + (ELEMENTWISE + TRANSCENDENTAL) * scores * _post("PROBIT")
    )


def _post(*names: str) -> Formula:
    return says("post_transform", *names, default="NONE")


def _has(name: str) -> Formula:
    return condition(name)(lambda node, opset: name in node.attributes)


def _kernel(*names: str) -> Formula:
    return says("kernel_type", *names, default="LINEAR")


_DIFFERENCES = of_products("M x K x N", "multiplications of the product", lambda size: (size.m, size.k, size.n))
_KERNEL = (2 * ELEMENTWISE + TRANSCENDENTAL) * RESULTS * _kernel("POLY", "SIGMOID") + (
    ELEMENTWISE * (_DIFFERENCES + RESULTS) + TRANSCENDENTAL * RESULTS
) * _kernel("RBF")
_SUPPORTED = condition("n_supports")(lambda node, opset: "support_vectors" in node.attributes)
_VOTES = unknown("how votes of many classes become probabilities is iterated, so it depends on the data")
_BRANCHES = unknown("which branches of a tree are taken depends on the data")
_LOOKED_UP = COMPARISON * unknown("how many comparisons a look-up takes depends on the data and on the engine's table")


@condition("post_transform")
def _transforms(node: ir.Node, opset: int | None) -> bool:
    attribute = node.attributes.get("post_transform")
    return attribute is not None and attribute.value not in ("NONE", 0)


_TREES = (ELEMENTWISE + COMPARISON) * _BRANCHES + TRANSCENDENTAL * _BRANCHES * _transforms
ML: dict[str, Work] = {
    "Binarizer": COMPARISON * X,
    "Imputer": COMPARISON * X,
    "Scaler": 2 * ELEMENTWISE * X,
    "Normalizer": (
        ELEMENTWISE * X
        + COMPARISON * (X - ROWS) * says("norm", "MAX", default="MAX")
        + ELEMENTWISE * (2 * X - ROWS) * says("norm", "L1", "L2", default="MAX")
        + TRANSCENDENTAL * X * says("norm", "L2", default="MAX")
    ),
    **each("CategoryMapper DictVectorizer LabelEncoder OneHotEncoder", _LOOKED_UP + MOVEMENT * Y),
    **each("TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor", _TREES),
    "LinearRegressor": ELEMENTWISE * RESULTS * _has("intercepts") + _post_transformed(RESULTS, RESULT_ROWS),
    "LinearClassifier": (
        ELEMENTWISE * RESULTS * _has("intercepts")
        + COMPARISON * (RESULTS - RESULT_ROWS)
        + _post_transformed(RESULTS, RESULT_ROWS)
    ),
    # kernels times coefficients, their sum and rho; without support vectors rho only
    "SVMRegressor": _KERNEL
    + ELEMENTWISE * (2 * RESULTS * _SUPPORTED + RESULT_ROWS)
    + _post_transformed(Y, RESULT_ROWS),
    "SVMClassifier": (ELEMENTWISE + TRANSCENDENTAL + COMPARISON) * _VOTES,
}
_TARGETS, _WEIGHTED = of_input(1, "targets"), is_given(2, "weight")
_REDUCED = says("reduction", "sum", "mean", default="mean")
_NEGATIVE_LOG_LIKELIHOOD = (
    (ELEMENTWISE + MOVEMENT) * (_TARGETS + _TARGETS * _WEIGHTED)
    + ELEMENTWISE * (_TARGETS - 1) * _REDUCED
    + ELEMENTWISE * ((_TARGETS - 1) * _WEIGHTED + 1) * says("reduction", "mean", default="mean")
)
"""A target's element is looked up, negated and weighed; a mean is the sum divided by the sum of weights."""
ONNX: dict[str, Work] = {
    "NegativeLogLikelihoodLoss": _NEGATIVE_LOG_LIKELIHOOD,
    "SoftmaxCrossEntropyLoss": softmax(X, _TARGETS) + TRANSCENDENTAL * _TARGETS + _NEGATIVE_LOG_LIKELIHOOD,
}


def _updated(states: int) -> Formula:
    """Elements of the tensors that are optimized: outputs are those, and then so many states of each."""

    def read(node: ir.Node, opset: int | None) -> Amount:
        return known_total([elements(value) for value in node.outputs[: len(node.outputs) // (1 + states)]])

    return measure("optimized", "elements of all tensors that are optimized")(read)


TRAINING: dict[str, Work] = {
    "Adagrad": (8 * ELEMENTWISE + TRANSCENDENTAL) * _updated(1),
    "Adam": (14 * ELEMENTWISE + TRANSCENDENTAL) * _updated(2),
    "Momentum": 7 * ELEMENTWISE * _updated(1) + 2 * ELEMENTWISE * _updated(1) * says("mode", "nesterov"),
}
"""By the pseudo code in their specification, what's done once for all elements aside."""
