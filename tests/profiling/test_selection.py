"""Test which rows are shown, and in which order."""

from __future__ import annotations

import pytest

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.ir.symbolic.amounts import Range, Unknown, symbol
from onnxtile.profiling import selection
from onnxtile.profiling.results import NodeProfile
from onnxtile.profiling.selection import matching, ordered
from tests.support import matmul, parse

ROWS = [
    NodeProfile(name="a", op="Conv", macs=10),
    NodeProfile(name="b", op="MatMul", macs=symbol("n") * 3, live_bytes=7),
    NodeProfile(name="c", op="MatMul", macs=Unknown("no")),
    NodeProfile(name="d", op="Relu", macs=Range(0, 50), live_bytes=9),
]


def names(rows: tuple[NodeProfile, ...]) -> str:
    return "".join(row.name for row in rows)


def test_the_greatest_come_first_and_the_unknown_before_them() -> None:
    assert names(ordered(ROWS, "macs", None)) == "cdab"
    assert names(ordered(ROWS, None, 2)) == "cd"
    assert names(ordered(ROWS, "live_bytes", 1)) == "d"
    assert names(ordered(ROWS, None, None)) == "abcd"
    with pytest.raises(UsageError, match="can't sort by 'mac': .*; did you mean 'macs'"):
        ordered(ROWS, "mac", None)


def test_nodes_by_operator_name_or_origin() -> None:
    lowered = onnxtile.lower(matmul([4, 8], [8, 4], [4, 4]), (4, 4, 4))
    profile = onnxtile.profile(lowered)
    assert len(matching(profile.nodes)) == len(profile.nodes)
    assert {node.op for node in matching(profile.nodes, ops=["MatMul"])} == {"MatMul"}
    assert matching(profile.nodes, names=["product"]) == matching(profile.nodes)  # all are made for it
    assert [node.name for node in matching(profile.nodes, ["MatMul"], ["*_k1"])] == ["product/m0_n0_k1"]
    with pytest.raises(UsageError, match=r"no node matches Conv, \*x: the model's operators are Add, MatMul, Split"):
        matching(profile.nodes, ["Conv"], ["*x"])
    rows = onnxtile.profile(
        parse("""<ir_version: 8, opset_import: ["" : 17]>
        g (float[4] x) => (float[4] y) { [first] a = Relu (x) [then] b = Neg (a) [last] y = Relu (b) }""")
    ).nodes
    with pytest.raises(
        UsageError, match=r"no node matches frist\*: the names of its nodes are first, then, last; did you"
    ):
        matching(rows, names=["frist*"])
    with pytest.raises(UsageError, match="no node matches Relu, xyz: the names of its Relu are first, last$"):
        matching(rows, ["Relu"], ["xyz"])


def test_a_node_or_operator_that_is_not_there_gets_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = onnxtile.profile(onnxtile.lower(matmul([4, 8], [8, 4], [4, 4]), (4, 4, 4))).nodes
    with pytest.raises(UsageError, match="Split; did you mean 'MatMul'"):
        matching(nodes, ["Matmull"])
    for most, meant in ((len(nodes), "'product/m0_n0_k1'"), (0, "")):
        monkeypatch.setattr(selection, "MOST_COMPARED", most)
        with pytest.raises(UsageError, match=f"nodes are product{f'; did you mean {meant}' if meant else ''}[?]?$"):
            matching(nodes, [], ["product/m0_n0_k1x"])


def test_as_many_names_as_an_error_lists_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for few, listed in ((4, "a, b, c, d$"), (3, "a, b, c, [.]{3}$")):
        monkeypatch.setattr(selection, "FEW", few)
        with pytest.raises(UsageError, match=f"no node matches xyz: the names of its nodes are {listed}"):
            matching(ROWS, names=["xyz"])
