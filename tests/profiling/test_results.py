"""Results: what follows from other fields, groups, and the same for scripts."""

from __future__ import annotations

import json

import numpy as np
import pytest

import onnxtile
from onnxtile.ir.symbolic.amounts import Range, Unknown, symbol
from onnxtile.profiling.results import Costs, NodeProfile, Weights, sum_weights
from tests.support import parse


def test_what_follows_from_other_fields() -> None:
    costs = Costs(macs=10, elementwise=5, comparison=1, movement=100, input_bytes=40, output_bytes=13)
    assert (costs.flops, costs.bandwidth, costs.intensity) == (26, 53, 26 / 53)
    assert Costs(macs=1).intensity is None
    assert Costs(macs=symbol("n"), input_bytes=1).intensity is None
    assert isinstance(Costs(macs=Unknown("no")).flops, Unknown | Range)


def test_weights_add_up() -> None:
    assert sum_weights([Weights(3, 1, 12), Weights(2, 0, 8)]) == Weights(5, 1, 20)
    assert sum_weights([]) == Weights()


def test_a_row_for_scripts_says_why_an_amount_is_null() -> None:
    row = NodeProfile(name="a", op="Op", macs=Unknown("it depends on the data"), params=3)
    document = json.loads(json.dumps(row.to_json()))
    assert document["macs"] is None
    assert document["unknown"] == {"macs": "it depends on the data"}
    assert document["params"] == 3


@pytest.mark.parametrize(
    ("by", "depth", "groups"),
    [
        ("op", None, [("MatMul", 2), ("Relu", 1)]), ("module", 1, [("net", 3)]),
        ("module", 2, [("net/first", 2), ("net/second", 1)]), ("scope", None, [("", 3)]),
    ],
)  # fmt: skip
def test_groups(by: str, depth: int | None, groups: list[tuple[str, int]]) -> None:
    profile = onnxtile.profile(
        parse(
            """<ir_version: 10, opset_import: ["" : 20]> g (float[2,8] x) => (float[2,8] y) {
            ["net/first/product"] a = MatMul (x, W) ["net/first/relu"] b = Relu (a)
            ["net/second/product"] y = MatMul (b, W) }""",
            W=np.ones((8, 8), np.float32),
        )
    )
    found = profile.by(by, depth)
    assert [(group.name, group.nodes) for group in found] == groups
    assert sum(int(str(group.macs)) for group in found) == profile.totals.macs == 256
    if by == "op":
        assert found[0].params == 64  # W is shared
