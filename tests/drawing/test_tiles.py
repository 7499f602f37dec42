from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.drawing.tiles import TileGrid, grids, has_tile, read_box, read_sizes
from onnxtile.ir.metadata import TILE
from tests.drawing.models import lowered


def tile(note: str, output: str = "fc/m0_n0_k0") -> ir.Node:
    return ir.Node("", "MatMul", [ir.Value(name="a"), ir.Value(name="b")], name=output, metadata_props={TILE: note},
                   outputs=[ir.Value(name=output)])  # fmt: skip


def grid(*notes: str) -> TileGrid:
    (made,), unread = grids([("", tile(note)) for note in notes])
    assert unread == 0
    return made


def test_a_box_is_read_in_the_whole_product() -> None:
    assert read_box("m0:64,k64:128,n0:32") == ((0, 64), (64, 128), (0, 32))
    assert read_box("m0:,k0:4,n4:8") == ((0, None), (0, 4), (4, 8))
    assert read_box("m0:4,k0:4,n4:8 of m8:16,k0:8,n16:24") == ((8, 12), (0, 4), (20, 24))
    assert read_sizes("m64,k,n32") == (64, None, 32)


BROKEN = [
    "", "m0:4,k0:4", "m4:2,k0:4,n0:4", "m-1:4,k0:4,n0:4", "m0:4,k0:4,n0:4 of ", "m\u0663:4,k0:4,n0:4", "m" + "9" * 300
]  # fmt: skip


@pytest.mark.parametrize("note", BROKEN)
def test_what_is_no_note_is_counted_and_not_drawn(note: str) -> None:
    assert grids([("", tile(note))]) == ([], 1)


def test_tiles_are_a_grid_with_its_order() -> None:
    boxes = [f"m{m}:{m + 4},k{k}:{k + 4},n0:6" for k in (0, 4) for m in (0, 4, 8)]
    made = grid(*boxes)
    assert (made.size, made.tile, made.counts, made.nodes) == ((12, 8, 6), (4, 4, 6), (3, 2, 1), 6)
    assert made.order == (1, 0) and made.whole
    assert grid(*boxes[::-1]).order is None
    assert not grid(*boxes[:-1]).whole
    assert not grid("m0:4,k0:4,n0:4", "m2:6,k0:4,n0:4").whole  # they overlap


def test_lowered_models_say_their_tiles() -> None:
    model = ir.from_proto(lowered())
    made, _ = grids([("", node) for node in model.graph if node.metadata_props.get("onnxtile.origin") == "fc"])
    assert [(one.path, one.size, one.counts, one.order) for one in made] == [("fc", (6, 10, 8), (2, 3, 2), (0, 2, 1))]


def test_a_call_says_size_and_tile() -> None:
    model = ir.from_proto(lowered("function"))
    call = next(node for node in model.graph if node.name == "fc")
    ((made,), _) = grids([("", call)])
    assert has_tile(call) and made.size == (6, 10, 8) and made.counts == (2, 3, 2)
