"""Nodes by all their names, and why those inside others can't be captured."""

from __future__ import annotations

import pytest

import onnxtile
from onnxtile.debugging.capture.node_index import named_nodes
from onnxtile.errors import UsageError
from onnxtile.ir.io.load import from_proto
from tests.debugging.capture.test_capture import F32, HEAD
from tests.support import matmul, parse, whole


def test_a_product_in_a_body_is_skipped_however_it_was_lowered() -> None:
    model = parse(
        f"""{HEAD} g (float[8,8] x, bool c) => (float[8,8] y) {{
            [if] y = If (c) <then_branch = g1 () => (float[8,8] s) {{ [fc] s = MatMul (x, w) }},
                             else_branch = g2 () => (float[8,8] t) {{ t = Neg (x) }}> }}""",
        w=whole([8, 8], F32, 1),
    )
    for each in (model, onnxtile.lower(model, (4, 4, 4))):
        with pytest.raises(
            UsageError, match=r"^nothing can be captured: .*'fc' is in if/then_branch, where values are"
        ):
            onnxtile.capture(each, name="fc")


def test_nodes_are_known_by_name_operator_and_origin() -> None:
    lowered = from_proto(onnxtile.lower(matmul([4, 8], [8, 4], [4, 4]), (4, 4, 4)))
    nodes = list(named_nodes(lowered))
    assert {origin for node in nodes for origin in node.origins} == {"product"}
    product = next(node for node in nodes if node.op == "MatMul")
    assert product.names == ("product/m0_n0_k0",)
    assert all(node.reason == "" for node in nodes)


def test_a_node_without_a_name_is_known_by_its_output() -> None:
    model = from_proto(parse(f"{HEAD} g (float[2] x) => (float[2] y) {{ y = Relu (x) }}"))
    (node,) = named_nodes(model)
    assert (node.name, node.outputs, node.origins) == ("y", ("y",), ())
