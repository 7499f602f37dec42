"""Classical models (ai.onnx.ml), losses, and steps of optimizers (ai.onnx.preview.training).

A support vector's kernel is counted by its definition; a look-up in a table of labels, and which branches of trees are
taken, depend on data.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int
from onnxtile.ir.symbolic.amounts import Amount, known_total
from onnxtile.operators.elementwise import SIGMOID
from onnxtile.operators.formula import Formula, condition, measure, unknown
from onnxtile.operators.measures import (
    RESULT_ROWS,
    RESULTS,
    ROWS,
    X,
    Y,
    has_attribute,
    is_given,
    of_input,
    of_products,
    says,
)
from onnxtile.operators.reduction import softmax
from onnxtile.operators.registry import ML, TRAINING, declare, one_product
from onnxtile.operators.sizes import Size, count_of, elements, quotient, shape
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work

# Linear models, support vector machines and trees


def by(attribute: str) -> Callable[[ir.Node], Size]:
    """Return the size of data [rows, features], or one row, by as many vectors as the attribute holds."""

    def size(node: ir.Node) -> Size:
        x = shape(node, 0, least=1)
        if not isinstance(x[-1], int):
            raise UnsizedError("how many features its data has isn't known")
        vectors = _count(node, attribute)
        if not vectors and attribute == "support_vectors":  # a linear machine has coefficients instead
            vectors = _count(node, "coefficients")
        return Size(count_of(x[:-1]), x[-1], quotient(node, f"{attribute} in number", vectors, x[-1]), 1)

    return size


def regression(node: ir.Node) -> Size:
    """LinearRegressor: data [rows, features] by coefficients [targets, features]."""
    x = shape(node, 0, least=1)
    return Size(count_of(x[:-1]), x[-1], attribute_int(node, "targets", 1), 1)


def _count(node: ir.Node, attribute: str) -> int:
    values = node.attributes.get(attribute)
    return 0 if values is None or values.is_ref() else len(values.as_floats())


def _post_transformed(scores: Formula, rows: Formula) -> Work:
    """Return the work of what an attribute says is done to scores in the end."""
    return (
        softmax(scores, rows) * _post("SOFTMAX", "SOFTMAX_ZERO")
        + SIGMOID * scores * _post("LOGISTIC")
        + (ELEMENTWISE + TRANSCENDENTAL) * scores * _post("PROBIT")
    )


def _post(*names: str) -> Formula:
    return says("post_transform", *names, default="NONE")


def _kernel(*names: str) -> Formula:
    return says("kernel_type", *names, default="LINEAR")


_DIFFERENCES = of_products("M x K x N", "multiplications of the product", "m k n")
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


_REFUSED = (
    "X of more than two axes; coefficients, intercepts or labels that contradict; post_transform of one score, and "
    "one row of coefficients without LOGISTIC, where engines disagree"
)
_TREES = (ELEMENTWISE + COMPARISON) * _BRANCHES + TRANSCENDENTAL * _BRANCHES * _transforms
declare("Binarizer Imputer", ML, work=COMPARISON * X)
declare("Scaler", ML, work=2 * ELEMENTWISE * X)
declare(
    "Normalizer",
    ML,
    work=ELEMENTWISE * X
    + COMPARISON * (X - ROWS) * says("norm", "MAX", default="MAX")
    + ELEMENTWISE * (2 * X - ROWS) * says("norm", "L1", "L2", default="MAX")
    + TRANSCENDENTAL * X * says("norm", "L2", default="MAX"),
)
declare("CategoryMapper DictVectorizer LabelEncoder OneHotEncoder", ML, work=_LOOKED_UP + MOVEMENT * Y)
declare("TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor", ML, work=_TREES)
declare(
    "LinearRegressor",
    ML,
    products=one_product("matmul", regression, "M = rows, K = features, N = targets", "decompose-linear", _REFUSED),
    work=ELEMENTWISE * RESULTS * has_attribute("intercepts") + _post_transformed(RESULTS, RESULT_ROWS),
)
declare(
    "LinearClassifier",
    ML,
    products=one_product(
        "matmul",
        by("coefficients"),
        "M = rows, K = features, N = coefficients / features",
        "decompose-linear",
        _REFUSED,
    ),
    work=ELEMENTWISE * RESULTS * has_attribute("intercepts")
    + COMPARISON * (RESULTS - RESULT_ROWS)
    + _post_transformed(RESULTS, RESULT_ROWS),
)
_MACHINE = one_product(
    "other",
    by("support_vectors"),
    "M = rows, K = features, N = support vectors (linear: sets of coefficients); sums over them aren't counted",
)
declare(
    "SVMRegressor",
    ML,
    products=_MACHINE,
    # kernels times coefficients, their sum and rho; without support vectors rho only
    work=_KERNEL + ELEMENTWISE * (2 * RESULTS * _SUPPORTED + RESULT_ROWS) + _post_transformed(Y, RESULT_ROWS),
)
declare("SVMClassifier", ML, products=_MACHINE, work=(ELEMENTWISE + TRANSCENDENTAL + COMPARISON) * _VOTES)

# Losses and optimizers

_TARGETS, _WEIGHTED = of_input(1, "targets"), is_given(2, "weight")
_REDUCED = says("reduction", "sum", "mean", default="mean")
_NEGATIVE_LOG_LIKELIHOOD = (
    (ELEMENTWISE + MOVEMENT) * (_TARGETS + _TARGETS * _WEIGHTED)
    + ELEMENTWISE * (_TARGETS - 1) * _REDUCED
    + ELEMENTWISE * ((_TARGETS - 1) * _WEIGHTED + 1) * says("reduction", "mean", default="mean")
)
"""A target's element is looked up, negated and weighed; a mean is the sum divided by the sum of weights."""
declare("NegativeLogLikelihoodLoss", work=_NEGATIVE_LOG_LIKELIHOOD)
declare("SoftmaxCrossEntropyLoss", work=softmax(X, _TARGETS) + TRANSCENDENTAL * _TARGETS + _NEGATIVE_LOG_LIKELIHOOD)


def _updated(states: int) -> Formula:
    """Return the measure of tensors that are optimized: outputs are those, and then so many states of each."""

    def read(node: ir.Node, opset: int | None) -> Amount:
        return known_total([elements(value) for value in node.outputs[: len(node.outputs) // (1 + states)]])

    return measure("optimized", "elements of all tensors that are optimized")(read)


# by the pseudo code in their specification, what's done once for all elements aside
declare("Adagrad", TRAINING, work=(8 * ELEMENTWISE + TRANSCENDENTAL) * _updated(1))
declare("Adam", TRAINING, work=(14 * ELEMENTWISE + TRANSCENDENTAL) * _updated(2))
declare(
    "Momentum", TRAINING, work=7 * ELEMENTWISE * _updated(1) + 2 * ELEMENTWISE * _updated(1) * says("mode", "nesterov")
)
