from __future__ import annotations

import onnx_ir as ir

from onnxtile.drawing.units import units_of, with_products
from onnxtile.passes.inline import inline
from tests.drawing.models import lowered, network


def test_each_node_of_a_model_is_a_unit_and_what_was_made_for_one() -> None:
    model = ir.from_proto(network())
    inline(model)
    units, unread = units_of(model)
    assert [(unit.name, len(unit.products)) for unit in units] == [
        ("fc", 1), ("relu", 0), ("last", 1), ("side", 1), ("add", 0)
    ] and unread == 0  # fmt: skip
    made, _ = units_of(ir.from_proto(lowered()))
    assert [(unit.name, len(unit.grids), len(unit.products)) for unit in made] == [
        ("fc", 1, 0), ("relu", 0, 0), ("last", 1, 0), ("side", 1, 0), ("add", 0, 0)
    ]  # fmt: skip
    assert sum(len(unit.nodes) for unit in made) == len(lowered().graph.node)


def test_sizes_come_from_the_products_that_grids_stand_for() -> None:
    model = ir.from_proto(network())
    inline(model)
    products = units_of(model)[0][0].products
    grids = units_of(ir.from_proto(lowered("batched")))[0][0].grids
    ((grid, product),) = with_products(grids, products)
    assert grids[0].size == (None, None, None) and grid.size == (6, 10, 8) and product is products[0]
    assert with_products(grids * 2, products) == [(grids[0], None)] * 2
