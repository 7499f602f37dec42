"""Names mean what the nearest graph says, and nodes read what graphs inside them see."""

from __future__ import annotations

from onnxtile.verification.graphs import Scope, name_of, names_inside, nodes_inside, reads
from tests.support import parse

MODEL = parse("""<ir_version: 10, opset_import: ["" : 20]> g (float[2] x, bool c) => (float[2] y)
    { t = Neg (x)
      [choice] y = If (c) <then_branch = a () => (float[2] p) { [inner] p = Add (t, x) },
          else_branch = b () => (float[2] q) { t2 = Neg (x)  q = Neg (t2) }> }""")
CHOICE = MODEL.graph.node[1]


def test_a_node_reads_what_its_graphs_see_around_them() -> None:
    assert set(reads(CHOICE)) == {"c", "t", "x"}


def test_nodes_inside_come_with_their_names() -> None:
    assert sorted(node.op_type for node in nodes_inside(CHOICE)) == ["Add", "If", "Neg", "Neg"]
    assert {"choice", "inner", "t2", "q"} == set(names_inside(CHOICE))
    assert name_of(MODEL.graph.node[0]) == "t"


def test_an_inner_graph_finds_what_is_around_it() -> None:
    scope = Scope(MODEL.graph)
    inner = scope.inside(CHOICE, "then_branch", CHOICE.attribute[0].g)
    assert inner.name == "choice/then_branch"
    made = inner.find("t")
    assert made is not None and made.node is MODEL.graph.node[0]
    assert inner.find("nonesuch") is None
