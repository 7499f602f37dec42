from __future__ import annotations

import onnx
import onnx.parser
import pytest

from onnxtile.engine.load import load
from onnxtile.engine.product import Product
from onnxtile.errors import UsageError
from onnxtile.exploration.products import products_of
from tests.exploration.models import ENGINE, chain, free, loop


def test_equal_products_are_one_and_bodies_count_once_a_trip() -> None:
    found = products_of(chain(), "chain", load(ENGINE))
    assert [(product.sizes, count) for product, count in found.counts] == [((96, 64, 64), 2), ((96, 64, 80), 1)]
    found = products_of(loop(), "loop", load(ENGINE))
    assert [(product.sizes, count) for product, count in found.counts] == [((8, 8, 8), 5)]
    assert found.left_out == {"engine systolic-32 doesn't multiply float64 by float64": 1}


def test_free_dimensions_are_bound_or_named() -> None:
    with pytest.raises(
        UsageError,
        match="free: no product is left to be scheduled: M is 'batch'; fix its free dimensions: --bind batch=INT",
    ):
        products_of(free(), "free", load(ENGINE))
    found = products_of(free(), "free", load(ENGINE), {"batch": 3})
    assert [product.sizes for product, _ in found.counts] == [(3, 64, 64)]


def test_a_model_without_products_is_refused() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        none (float[2] x) => (float[2] y) { y = Relu (x) }""")
    with pytest.raises(UsageError, match="none: there is no matrix product in it"):
        products_of(model, "none", load(ENGINE))


def test_the_hash_is_of_all_that_costs_follow_from() -> None:
    one = products_of(free(), "free", load(ENGINE), {"batch": 3})
    same = products_of(free(), "other", load(ENGINE), {"batch": 3})
    other = products_of(free(), "free", load(ENGINE), {"batch": 4})
    assert one.digest == same.digest != other.digest
    assert isinstance(one.counts[0][0], Product)
