from __future__ import annotations

import numpy as np

from onnxtile.engine.description import Engine, Operand
from onnxtile.engine.operands import Operands, each, fits, room_of, whole_bursts
from onnxtile.engine.product import Product, Window
from tests.engine.strategies import engine_of

WINDOW = Window(3, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1), (8, 8))


def of(engine: Engine, window: Window | None = None) -> Operands:
    return Operands(Product(64, 27, 20, window=window), engine.product[0], engine)


def test_a_row_takes_whole_bursts() -> None:
    assert [whole_bursts(size, 4, 1) for size in (0, 1, 2, 3)] == [0, 1, 1, 2]
    operands = of(engine_of(memory_burst=16))
    assert operands.swept("A", "k", 10) == 3 * 16
    assert operands.swept("A", "m", 10) == 64
    assert operands.swept("A", "k", np.array([10, 27])).tolist() == [48, 32]
    assert operands.last("A", "k", 20, again=False) == 16


def test_partial_sums_are_written_and_read() -> None:
    operands = of(engine_of())
    assert operands.swept("C", "n", 5) == 20
    assert operands.swept("C", "n", 5, again=True) == 2 * 20 * 4


def test_an_engine_that_forms_windows_reads_input_rows() -> None:
    operands = of(engine_of(conv_windows="engine"), WINDOW)
    assert operands.swept("A", "m", 64) * operands.swept("A", "k", 27) == 3 * 8 * 8
    assert operands.held("A", "m", 8) * operands.held("A", "k", 9) == 3 * 8
    assert operands.least() == 3 * 8 * 8 + 27 * 20 + 64 * 20
    assert of(engine_of(), WINDOW).least() == 64 * 27 + 27 * 20 + 64 * 20


def test_local_memory_is_shared_or_split() -> None:
    used: dict[Operand, int] = {"A": 40, "B": 32, "C": 8}
    assert fits(used, 80)
    assert not fits(used, 79)
    assert fits(used, {"A": 40, "B": 32, "C": 8})
    assert not fits(used, {"A": 99, "B": 31, "C": 99})
    assert room_of(engine_of(local_size="1 KiB")) == 8192
    assert room_of(engine_of(local_size={"A": 50, "B": 40, "C": 60})) == {"A": 400, "B": 320, "C": 480}


def test_each_size_is_worked_out_once() -> None:
    seen: list[int] = []
    assert each(lambda size: seen.append(size) or size + 1, np.array([[3, 1], [1, 3]])).tolist() == [[4, 2], [2, 4]]  # type: ignore[func-returns-value]
    assert seen == [1, 3]
