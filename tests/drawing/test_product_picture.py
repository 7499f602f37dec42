from __future__ import annotations

from onnxtile.drawing.product_picture import Drawn, cut_places, draw_corner, draw_product, longest, loops, of_grid, side
from onnxtile.drawing.svg import picture, to_svg
from onnxtile.drawing.tiles import TileGrid, grids
from tests.drawing.test_tiles import tile


def grid(m: int, k: int, n: int) -> TileGrid:
    notes = [
        f"m{a}:{a + 2},k{b}:{b + 2},n{c}:{c + 2}"
        for a in range(0, m, 2)
        for b in range(0, k, 2)
        for c in range(0, n, 2)
    ]
    return grids([("", tile(note)) for note in notes])[0][0]


def test_sides_grow_with_the_logarithm() -> None:
    assert side(1, 4096, 120) == 10 and side(64, 4096, 120) == 65 and side(4096, 4096, 120) == 120
    assert side(None, 4096, 120) == 60 and side(0, 1, 120) == 10


def test_operands_meet_in_the_corner() -> None:
    drawn = of_grid(grid(4, 8, 6), "fc")
    corner = draw_corner(picture(1, 1, ""), 0, 0, drawn, longest([drawn]), 100)
    (ax, ay, aw, ah), (bx, by, bw, bh), (cx, cy, cw, ch) = corner.a, corner.b, corner.c
    assert (aw, bh) == (bh, aw) and (ah, bw) == (ch, cw) and ay == cy and bx == cx and aw == 100
    assert (ax, by) == (0, 0)


def test_lines_are_where_the_pieces_end() -> None:
    drawn = of_grid(grid(4, 8, 6), "fc")
    assert [cut_places(drawn, axis) for axis in range(3)] == [[0.5], [0.25, 0.5, 0.75], [1 / 3, 2 / 3]]
    sizes = TileGrid("fc", "", "MatMul", ((), (), ()), (4, 4, None), 1, (10, 4, 8))
    assert [cut_places(of_grid(sizes, "fc"), axis) for axis in range(3)] == [[0.4, 0.8], [], []]
    unknown = TileGrid("fc", "", "MatMul", ((), (), ()), (4, 4, 4), 1)
    assert cut_places(of_grid(unknown, "fc"), 0) == []
    assert of_grid(unknown, "fc").tile_text == "? x ? x ? tiles of 4 x 4 x 4"


def test_lines_that_would_touch_are_an_area() -> None:
    root = picture(1, 1, "")
    draw_corner(root, 0, 0, Drawn("", "", ("1", "1", "1"), (2, 2, 400), grid(2, 2, 400)), 400, 100)
    assert to_svg(root).count('class="b many"') == 1 and to_svg(root).count('class="a many"') == 0


def test_the_order_is_told_as_loops() -> None:
    drawn = of_grid(grid(4, 8, 2), "fc")
    assert loops(drawn) == [
        "for m in 2 pieces of M:", "  for k in 4 pieces of K:", "    C[m, n] += A[m, k] @ B[k, n]"
    ]  # fmt: skip
    root = picture(1, 1, "")
    draw_product(root, 0, 0, drawn)
    assert "K 8, 4 pieces" in to_svg(root) and "for m in 2 pieces" in to_svg(root)
    assert of_grid(grid(4, 8, 2), "fc").tile_text == "2 x 4 x 1 tiles of 2 x 2 x 2"
