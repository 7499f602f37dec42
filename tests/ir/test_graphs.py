"""Graphs of a model, and the nodes in them: bodies to any depth, local functions, calls."""

from __future__ import annotations

import onnx_ir as ir

import onnxtile
from onnxtile.ir import graphs
from onnxtile.ir.io.load import from_proto
from tests.support import matmul, parse

NESTED = """<ir_version: 10, opset_import: ["" : 18, "l" : 1]>
g (float[2,3] x, bool c) => (float[2,3] y) {
   [choice] y = If (c) <
      then_branch = t () => (float[2,3] a) {
         [inner] a = If (c) <then_branch = u () => (float[2,3] b) { [deep] b = l.outer (x) },
                             else_branch = v () => (float[2,3] d) { [flat] d = Relu (x) }> },
      else_branch = e () => (float[2,3] f) { [other] f = Neg (x) }> }
<domain: "l", opset_import: ["" : 17]> leaf (p) => (q) { [leafy] q = Abs (p) }
<domain: "l", opset_import: ["" : 17, "l" : 1]> outer (p) => (q) { [called] q = l.leaf (p) }
<domain: "l", opset_import: ["" : 17]> idle (p) => (q) { [idly] q = Exp (p) }"""


def model() -> ir.Model:
    return ir.from_proto(parse(NESTED))


def test_scopes_are_named_after_the_nodes_around_them() -> None:
    found = {scope.name: (scope.in_function, scope.opsets[""]) for scope in graphs.scopes(model())}
    assert found == {
        "": (False, 18), "choice/then_branch": (False, 18), "choice/then_branch/inner/then_branch": (False, 18),
        "choice/then_branch/inner/else_branch": (False, 18), "choice/else_branch": (False, 18),
        "function l::leaf": (True, 17), "function l::outer": (True, 17), "function l::idle": (True, 17),
    }  # fmt: skip


def test_scopes_come_with_their_nodes() -> None:
    nested = model()
    with_nodes = list(graphs.scopes_with_nodes(nested))
    assert [scope for scope, _ in with_nodes] == list(graphs.scopes(nested))
    assert all(nodes == list(scope.graph) for scope, nodes in with_nodes)
    assert list(graphs.all_graphs(nested)) == [scope.graph for scope, _ in with_nodes]


def test_nodes_come_before_those_of_their_bodies() -> None:
    nested = model()
    assert [node.name for node in graphs.nodes_within(nested.graph)] == ["choice", "inner", "deep", "flat", "other"]
    assert list(graphs.nodes_within(nested.graph)) == list(nested.graph.all_nodes())


def test_graphs_that_may_hold_initializers() -> None:
    nested = model()
    assert len(list(graphs.graphs_with_initializers(nested))) == 5
    assert all(isinstance(graph, ir.Graph) for graph in graphs.graphs_with_initializers(nested))


def test_the_default_opset() -> None:
    assert (graphs.default_opset({"": 7}), graphs.default_opset({"l": 1})) == (7, None)


def test_called_functions_and_their_order() -> None:
    nested = model()
    assert graphs.called_functions(nested) == {("l", "outer", ""), ("l", "leaf", "")}
    functions = dict(nested.functions)
    nested.functions.clear()
    nested.functions.update(reversed(functions.items()))
    graphs.callees_first(nested)
    names = [name for _, name, _ in nested.functions]
    assert sorted(names) == ["idle", "leaf", "outer"]
    assert names.index("leaf") < names.index("outer")


def test_bodies_of_tiled_products_are_not_the_models() -> None:
    lowered = from_proto(onnxtile.lower(matmul([8, 8], [8, 8], [8, 8]), (4, 4, 4), form="function"))
    (call,), (function,) = list(lowered.graph), lowered.functions.values()
    assert graphs.is_tiled_product(call)
    assert graphs.is_tiled_product(function)
    assert [scope.name for scope in graphs.scopes(lowered)] == [""]
    assert graphs.count_nodes(lowered) == 1


def test_a_node_reads_what_its_bodies_read_and_give() -> None:
    (choice,) = model().graph
    assert [value.name for value in graphs.values_read(choice)] == ["c", "a", "c", "b", "x", "d", "x", "f", "x"]


def test_inputs_and_results_are_defined_in_their_graphs() -> None:
    defined = [(graph.name, value.name) for graph, value in graphs.defined_values(model())]
    assert defined[:3] == [("g", "x"), ("g", "c"), ("g", "y")]
    assert {("t", "a"), ("u", "b"), ("v", "d"), ("e", "f"), ("leaf", "p"), ("leaf", "q")} <= set(defined)


def test_count_nodes_counts_every_graph() -> None:
    assert graphs.count_nodes(model()) == 8
