from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnxtile.drawing import blocks
from onnxtile.drawing.blocks import Outline, outline
from onnxtile.drawing.units import units_of
from onnxtile.passes.inline import inline
from tests.drawing.models import network
from tests.support import parse


def outlined(model: onnx.ModelProto, sizes: bool = False) -> Outline:
    read = ir.from_proto(model)
    inline(read)
    return outline(units_of(read)[0], read.graph, lambda value: sizes and value.dtype == ir.DataType.INT64)


def test_products_stand_alone_and_the_rest_is_joined_between_them() -> None:
    made = outlined(network())
    assert [[unit.name for unit in block.units] for block in made.blocks] == [
        ["fc"], ["side"], ["relu"], ["last"], ["add"]
    ]  # fmt: skip
    assert [block.level for block in made.blocks] == [0, 0, 1, 2, 3]
    assert made.edges == ((0, 2), (1, 4), (2, 3), (3, 4))
    assert made.blocks[0].inputs == ("x",) and made.blocks[-1].outputs == ("y",)


def test_constants_are_drawn_where_they_are_read_and_sizes_have_no_edges() -> None:
    made = outlined(
        parse(
            """<ir_version: 9, opset_import: ["" : 17]> g (float[4,4] x) => (float[16] y) {
            [shape] s = Shape (x) [size] t = ReduceProd <keepdims = 1> (s) [fold] w = Neg (V)
            [fc] a = MatMul (x, w) [flat] y = Reshape (a, t) }""",
            V=np.ones((4, 4), np.float32),
        ),
        sizes=True,
    )
    assert [[unit.name for unit in block.units] for block in made.blocks] == [
        ["shape"],
        ["size"],
        ["fc", "fold"],
        ["flat"],
    ]
    assert made.edges == ((2, 3),) and made.left_out == ("2 edges that only carry sizes",)


def chain(count: int) -> onnx.ModelProto:
    lines = ""
    for at in range(count):
        lines += f"[p{at}] a{at} = MatMul ({f'v{at}' if at else 'x'}, W) [r{at}] v{at + 1} = Relu (a{at})"
    return parse(
        f"""<ir_version: 9, opset_import: ["" : 17]> g (float[4,4] x) => (float[4,4] v{count}) {{ {lines} }}""",
        W=np.ones((4, 4), np.float32),
    )


def test_too_many_products_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_BLOCKS", 9)
    made = outlined(chain(12))
    assert len(made.blocks) <= 9 and sum(block.is_product for block in made.blocks) == 4
    assert made.left_out == ("the tiles of 8 smaller products",)
    assert sum(len(block.units) for block in made.blocks) == 24


def test_too_many_parts_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_BLOCKS", 4)
    parts = "".join(f"[r{at}] y{at} = Relu (x)" for at in range(7))
    outputs = ", ".join(f"float[4] y{at}" for at in range(7))
    made = outlined(parse(f"""<ir_version: 9, opset_import: ["" : 17]> g (float[4] x) => ({outputs}) {{ {parts} }}"""))
    assert [len(block.units) for block in made.blocks] == [1, 1, 1, 4]
    assert made.left_out == ("how the last 4 blocks hang together, drawn as one",)


def test_products_beside_each_other_are_drawn_though_the_others_do_not_hang_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blocks, "MOST_BLOCKS", 6)
    parts = "".join(f"[p{at}] y{at} = MatMul (x, W) [r{at}] z{at} = Relu (y{at})" for at in range(9))
    outputs = ", ".join(f"float[4,4] z{at}" for at in range(9))
    model = parse(
        f"""<ir_version: 9, opset_import: ["" : 17]> g (float[4,4] x) => ({outputs}) {{ {parts} }}""",
        W=np.ones((4, 4), np.float32),
    )
    made = outlined(model)
    assert sum(block.is_product for block in made.blocks) == 4 and len(made.blocks) == 6
    assert made.left_out == (
        "which of 9 parts between products hang together: those of a level are one block",
        "the tiles of 5 smaller products",
    )
    assert sorted(unit.name for block in made.blocks for unit in block.units) == sorted(
        f"{kind}{at}" for kind in "pr" for at in range(9)
    )


def test_edges_that_lead_past_as_many_levels_as_are_drawn_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "[p0] a0 = MatMul (x, W)"
    for at in range(1, 8):
        lines += f"[s{at}] s{at} = Sum ({', '.join(f'a{one}' for one in range(at))}) [p{at}] a{at} = MatMul (s{at}, W)"
    model = parse(
        f"""<ir_version: 9, opset_import: ["" : 17]> g (float[4,4] x) => (float[4,4] a7) {{ {lines} }}""",
        W=np.ones((4, 4), np.float32),
    )
    whole = outlined(model)
    passed = {edge: whole.blocks[edge[1]].level - whole.blocks[edge[0]].level - 1 for edge in whole.edges}
    monkeypatch.setattr(blocks, "MOST_PASSED", sum(passed.values()))
    assert outlined(model).edges == whole.edges and whole.left_out == ()
    monkeypatch.setattr(blocks, "MOST_PASSED", sum(passed.values()) - 1)
    assert outlined(model).left_out == ("1 edge past the most levels",)
    monkeypatch.setattr(blocks, "MOST_PASSED", 30)
    made = outlined(model)
    gone = passed.keys() - set(made.edges)
    assert made.left_out == (f"{len(gone)} edges past the most levels",)
    assert sum(passed[edge] for edge in made.edges) <= 30
    assert min(passed[edge] for edge in gone) >= max(passed[edge] for edge in made.edges)
