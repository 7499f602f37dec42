"""Linear models and support vector machines (ai.onnx.ml): products of the data by numbers in attributes."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int
from onnxtile.operators.arithmetic import quotient
from onnxtile.operators.entry import Entry, one
from onnxtile.operators.sizes import Size, count_of, shape


def by(attribute: str) -> Callable[[ir.Node], Size]:
    """Data [rows, features], or one row, by as many vectors as the attribute holds."""

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


_KERNEL = "M = rows, K = features, N = support vectors (linear: sets of coefficients); sums over them aren't counted"
ML: dict[str, Entry] = {
    "LinearClassifier": one("matmul", by("coefficients"), "M = rows, K = features, N = coefficients / features"),
    "LinearRegressor": one("matmul", regression, "M = rows, K = features, N = targets"),
    "SVMClassifier": one("other", by("support_vectors"), _KERNEL),
    "SVMRegressor": one("other", by("support_vectors"), _KERNEL),
}
