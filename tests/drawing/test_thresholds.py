"""Both sides of each number at which a picture shows less."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxtile.drawing import blocks, draw, draw_page, files, model_picture, product_picture, tiles
from onnxtile.drawing.draw import drawing
from onnxtile.drawing.product_picture import cut_places, draw_corner, of_grid
from onnxtile.drawing.svg import picture, to_svg
from onnxtile.drawing.tiles import TileGrid, read_box
from onnxtile.errors import UsageError
from tests.drawing.models import lowered, network
from tests.drawing.test_blocks import chain, outlined
from tests.drawing.test_draw_page import data_of
from tests.support import parse


def recurrent() -> onnx.ModelProto:
    """Return a node that holds two products of other sizes."""
    return parse(
        """<ir_version: 9, opset_import: ["" : 17]> g (float[6,1,8] x) => (float[6,1,1,4] y) {
        [lstm] y = LSTM <hidden_size = 4> (x, W, R) }""",
        W=np.ones((1, 16, 8), np.float32), R=np.ones((1, 16, 4), np.float32),
    )  # fmt: skip


def test_as_many_blocks_as_are_drawn_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_BLOCKS", 24)
    assert outlined(chain(12)).left_out == () and len(outlined(chain(12)).blocks) == 24
    monkeypatch.setattr(blocks, "MOST_BLOCKS", 23)
    assert outlined(chain(12)).left_out == ("the tiles of 4 smaller products",)


def test_as_many_products_as_an_error_lists_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for few, words in ((3, "take one of fc, side, last$"), (2, r"take one of fc, side, \.\.\.$")):
        monkeypatch.setattr(draw, "FEW", few)
        with pytest.raises(UsageError, match=words):
            drawing(network()).svg("qqqqqq")


def test_as_many_products_of_a_node_as_are_drawn_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = drawing(recurrent())
    for most_rows, told in ((2, 0), (1, 1)):
        monkeypatch.setattr(draw, "MOST_ROWS", most_rows)
        monkeypatch.setattr(draw_page, "MOST_PRODUCTS", most_rows)
        assert drawn.svg("lstm").count("1 product of other sizes aren't drawn") == told
        assert drawn.html().count("1 product of other sizes aren't shown") == told


def test_as_many_products_as_a_block_has_room_for_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for most_products, told in ((2, 0), (1, 1)):
        monkeypatch.setattr(model_picture, "MOST_PRODUCTS", most_products)
        assert drawing(recurrent()).svg().count("and 1 product of other sizes") == told


def test_as_many_operators_as_are_named_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for most_operators, told in ((4, 3), (3, 0)):
        monkeypatch.setattr(model_picture, "MOST_OPERATORS", most_operators)
        assert drawing(network(), lowered()).svg().count("3 Concat") == told


def test_names_and_words_as_long_as_there_is_room_and_longer() -> None:
    name = model_picture.NAME
    for length, whole in ((name, True), (name + 1, False)):
        assert (f">{'n' * length}</text>" in drawing(network("n" * length)).svg()) is whole
    assert model_picture.WORDS > 3 and model_picture._end("x" * 46, model_picture.WORDS) == "x" * 46
    assert model_picture._end("x" * 47, model_picture.WORDS) == "x" * 43 + "..."


def uneven(count: int) -> TileGrid:
    pieces = ((0, 1), *((at, at + 2) for at in range(1, 2 * count - 1, 2)))
    return TileGrid("fc", "", "MatMul", (pieces, ((0, 4),), ((0, 4),)), (2, 4, 4), count, (2 * count - 1, 4, 4))


def test_as_many_uneven_pieces_as_are_listed_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_page, "MOST_PIECES", 3)
    for count, told in ((3, 1), (4, 0)):
        page = draw_page.draw_page(picture(1, 1, ""), "", "", [(0, "fc", [of_grid(uneven(count), "fc")], "")])
        assert len(data_of(page)["products"]) == told


def test_a_png_of_as_many_pixels_as_there_may_be_and_a_larger_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for most_pixels in (files.MOST_PIXELS, 10_000):
        monkeypatch.setattr(files, "MOST_PIXELS", most_pixels)
        files.write_drawing(tmp_path / "a.png", drawing(network()))
        sizes.append(struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24]))
    assert sizes[0][0] > 700 and 9_000 < sizes[1][0] * sizes[1][1] < 11_000


def test_a_png_as_wide_as_it_may_be_and_a_wider_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    for most in (files.MOST_ON_A_SIDE, 500):
        monkeypatch.setattr(files, "MOST_ON_A_SIDE", most)
        files.write_drawing(tmp_path / "a.png", drawing(network()))
        sizes.append(struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24]))
    assert max(sizes[0]) > 700 and 498 <= max(sizes[1]) <= 501


def test_lines_as_close_as_they_may_be_and_closer() -> None:
    for tile, areas in ((8, 0), (1, 3)):
        root = picture(1, 1, "")
        sizes = TileGrid("fc", "", "MatMul", ((), (), ()), (tile,) * 3, 1, (64, 64, 64))
        draw_corner(root, 0, 0, of_grid(sizes, "fc"), 64, 64 * product_picture.CLOSEST * 0.9)
        assert to_svg(root).count(" many") == areas


def test_cuts_as_many_as_are_counted_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_picture, "MOST_CUTS", 4)
    for count, cuts in ((4, 3), (10**18, 3)):
        sizes = TileGrid("fc", "", "MatMul", ((), (), ()), (1, 1, 1), 1, (count, 1, 1))
        assert len(cut_places(of_grid(sizes, "fc"), 0)) == cuts


def test_notes_as_long_as_they_are_read_and_longer() -> None:
    box = "m0:1,k0:1,n0:1"
    longest = " of ".join([box] * 11)
    assert len(longest) <= tiles.LONGEST and read_box(longest) == ((0, 1),) * 3
    assert read_box(f"{longest} of {box}") is None
