"""Names that models come with: numbers, none, one for a value and a node, such as we make; nothing made meets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx
import onnx_ir as ir
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from tests.support import Fed, run_onnxruntime, whole

F32 = np.dtype(np.float32)
LIMITS = (2, 3, 4)
FORMS = ("unrolled", "batched", "loop", "function")
POOL = (
    "0", "1", "2", "3", "4", "fc", "fc/", "fc/m0_n0_k0", "fc/A_k0", "fc/products", "fc.1", "fc.1/tiles", "fc/product",
    "w/k0_n0", "w", "w/tiles", "/", "A", "B", "C", "A_tiles", "C/over_tiles", "MatMul", "node_MatMul_0", "val_0", "é\\"
)  # fmt: skip
"""Names for values and nodes alike."""
OUTPUTS = ("1", "fc", "C", "node_MatMul_0")


class Scope:
    """Hands out names of one scope, values and nodes apart; those that can be read from outside are not free."""

    def __init__(self, draw: st.DrawFn, visible: frozenset[str] = frozenset()) -> None:
        self._draw, self.visible = draw, set(visible)
        self._values = [name for name in draw(st.permutations(POOL)) if name not in visible]
        self._nodes = list(draw(st.permutations(POOL)))

    def value(self) -> str:
        name = self._values.pop()
        self.visible.add(name)
        return name

    def node(self) -> str:
        return "" if self._draw(st.integers(0, 3)) == 0 else self._nodes.pop()

    def inside(self) -> Scope:
        return Scope(self._draw, frozenset(self.visible))

    def take(self, name: str) -> str:
        """Use a name that is given."""
        self.visible.add(name)
        self._values.remove(name)
        return name


def branch(scope: Scope, x: str, rows: int, columns: int, seed: int) -> onnx.GraphProto:
    """Relu(x @ w), w an initializer of the branch."""
    inner = scope.inside()
    w, product, result = inner.value(), inner.value(), inner.value()
    nodes = [
        helper.make_node("MatMul", [x, w], [product], inner.node()),
        helper.make_node("Relu", [product], [result], inner.node()),
    ]
    output = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
    return helper.make_graph(nodes, inner.value(), [], [output], [numbers(w, [rows, columns], seed)])


def numbers(name: str, shape: list[int], seed: int) -> onnx.TensorProto:
    return numpy_helper.from_array(whole(shape, F32, seed), name)


@st.composite
def models(draw: st.DrawFn) -> Fed:
    """x[3,5] @ w[5,7], a Gemm with its bias to [3,4], branches to [3,6], and a function of such to [3,5]."""
    scope = Scope(draw)
    y = scope.take(draw(st.sampled_from(OUTPUTS)))
    x, c, w, gemm_w, bias = (scope.value() for _ in range(5))
    weights = [numbers(w, [5, 7], 1), numbers(gemm_w, [7, 4], 2), numbers(bias, [4], 3)]
    first, second, third = (scope.value() for _ in range(3))
    inner = Scope(draw)
    a, d, p, q = (inner.value() for _ in range(4))
    function = helper.make_function(
        "local",
        draw(st.sampled_from(POOL)),
        [a, d],
        [q],
        [
            helper.make_node("Neg", [a], [p], inner.node()),
            helper.make_node(
                "If", [d], [q], inner.node(),
                then_branch=branch(inner, p, 6, 5, 6), else_branch=branch(inner, a, 6, 5, 7),
            ),
        ],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    nodes = [
        helper.make_node("MatMul", [x, w], [first], scope.node()),
        helper.make_node("Gemm", [first, gemm_w, bias], [second], scope.node()),
        helper.make_node(
            "If", [c], [third], scope.node(),
            then_branch=branch(scope, second, 4, 6, 4), else_branch=branch(scope, second, 4, 6, 5),
        ),
        helper.make_node(function.name, [third, c], [y], scope.node(), domain="local"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info(x, TensorProto.FLOAT, [3, 5]),
            helper.make_tensor_value_info(c, TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [3, 5])],
        weights,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return Fed(model, {x: whole([3, 5], F32, 9), c: np.array(draw(st.booleans()))})


def graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """All scopes, but for functions that stand for products."""
    waiting = [model.graph, *(function for function in model.functions if function.domain != "onnxtile")]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting += [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]


def names_of(model: onnx.ModelProto) -> tuple[Counter[str], Counter[str]]:
    """Names of values and of nodes, and how often they occur in all scopes."""
    values: Counter[str] = Counter()
    nodes: Counter[str] = Counter()
    for graph in graphs(model):
        values.update(name if isinstance(graph, onnx.FunctionProto) else name.name for name in graph.input)
        values.update(tensor.name for tensor in getattr(graph, "initializer", ()))
        values.update(name for node in graph.node for name in node.output if name)
        nodes.update(node.name for node in graph.node if node.name)
    return values, nodes


@settings(max_examples=max(settings().max_examples // 5, 1))
@given(models(), st.sampled_from(FORMS), st.sampled_from(("pretile", "split")), st.booleans())
def test_names_that_are_made_meet_no_others(fed: Fed, form: str, weights: str, in_memory: bool) -> None:
    model = ir.from_proto(fed.model) if in_memory else fed.model
    lowered = onnxtile.lower(model, LIMITS, form=form, weights=weights)
    if in_memory:
        lowered = ir.to_proto(lowered)
        for graph in graphs(lowered):  # when onnxruntime inlines functions, what's said of their bodies isn't renamed
            graph.ClearField("value_info")
    onnx.checker.check_model(lowered, full_check=True)
    assert onnxtile.check(lowered, LIMITS).ok
    assert [value.name for value in lowered.graph.output] == [value.name for value in fed.model.graph.output]
    np.testing.assert_array_equal(run_onnxruntime(lowered, fed.feeds)[0], run_onnxruntime(fed.model, fed.feeds)[0])
    before, after = names_of(fed.model), names_of(lowered)
    known = before[0].keys() | before[1].keys()
    for old, new in zip(before, after, strict=True):
        assert {name: count for name, count in new.items() if count > max(1, old[name])} == {}
    made = (after[0].keys() | after[1].keys()) - known
    assert not made & known
    assert onnxtile.verify(fed.model, lowered).equivalent
