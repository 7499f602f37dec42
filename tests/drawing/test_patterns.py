from __future__ import annotations

import onnx_ir as ir

from onnxtile.drawing.patterns import Pattern, names_of


def node(name: str, a: str, b: str) -> ir.Node:
    return ir.Node("", "MatMul", [ir.Value(name=a), ir.Value(name=b)], name=name, outputs=[ir.Value(name=name)])


def test_names_of_tiles_follow_a_pattern() -> None:
    places = [(m, k, 0) for m in range(2) for k in range(3)]
    nodes = [node(f"n1/k7/m{m}_n0_k{k}", f"A_m{m}_k{k}", "B") for m, k, _ in places]
    names = names_of(nodes, places)
    assert names.nodes is not None and [names.nodes.name(place) for place in places] == [one.name for one in nodes]
    assert names.nodes.texts == ("n1/k7/m", "_n", "_k", "") and names.nodes.axes == (0, 2, 1)
    assert names.b == Pattern(("B",))


def test_other_names_have_none() -> None:
    names = names_of([node("x", "m0", "b"), node("y", "m5", "b")], [(0, 0, 0), (1, 0, 0)])
    assert names.nodes is None and names.a is None and names.b == Pattern(("b",))
