from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.engine import input_rows
from onnxtile.engine.input_rows import InputRows
from onnxtile.engine.product import Window
from tests.engine.strategies import convolutions, engine_of
from tests.engine.walk import input_rows as touched

PHOTO = Window(3, (224, 224), (7, 7), (2, 2), (1, 1), (3, 3), (112, 112))


@given(st.data())
def test_rows_and_channels_are_those_that_windows_touch(data: st.DataObject) -> None:
    product, kept = data.draw(convolutions(engine_of())), data.draw(st.booleans())
    window = product.window
    assert window is not None
    rows = InputRows(window, product.m // window.positions, kept)
    size = data.draw(st.integers(1, product.m))
    blocks = [range(start, min(start + size, product.m)) for start in range(0, product.m, size)]
    read = [len(touched(window, block) - (touched(window, range(block.start)) if kept else set())) for block in blocks]
    assert (sum(read), read[-1]) == (rows.swept(size), rows.last(blocks[-1].start))
    assert max(len(touched(window, block)) for block in blocks) <= rows.most(size)
    part = data.draw(st.integers(1, product.k))
    parts = [
        {k // window.taps for k in range(start, min(start + part, product.k))} for start in range(0, product.k, part)
    ]
    assert sum(map(len, parts)) == rows.channels(part)
    assert max(map(len, parts)) <= rows.most_channels(part)
    assert len(parts[-1]) == rows.channels_of_last((len(parts) - 1) * part)


def test_a_photo_is_read_once_where_halos_are_kept() -> None:
    assert InputRows(PHOTO, 2, True).swept(112) == InputRows(PHOTO, 2, False).swept(112 * 112) == 2 * 224
    assert InputRows(PHOTO, 1, False).swept(112) == 112 * 7 - 3 - 1 - 2  # without the padding of both borders


def test_beyond_a_bound_borders_count_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = InputRows(PHOTO, 1, False).swept(111)
    monkeypatch.setattr(input_rows, "MOST_BOUNDARIES", 10)
    input_rows._shared.cache_clear()
    rough = InputRows(PHOTO, 1, False).swept(111)
    input_rows._shared.cache_clear()
    assert exact < rough < exact + 7 * 7


def test_sizes_that_no_machine_word_holds() -> None:
    huge: dict[str, Any] = {"lengths": (1 << 40, 1 << 20), "outputs": (1 << 39, 1 << 19)}
    rows = InputRows(dataclasses.replace(PHOTO, **huge), 1, False)
    assert rows.swept(1 << 19) == rows.total() + ((1 << 39) - 1) * 5
