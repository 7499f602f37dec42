from __future__ import annotations

from onnxtile.plots.drawing import figure, svg
from onnxtile.plots.memory import MOST_STEPS, draw_memory, most_of_each


def test_each_model_has_a_line_over_its_run() -> None:
    with figure(4, 3) as (_, (axes,)):
        draw_memory(axes, [("a", [1, 5]), ("none", [])])
        lines = [(line.get_label(), list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()]
    assert lines == [("2 nodes of a", [0, 50, 100], [1, 5, 5])]


def test_titles_are_short_and_spelled_out_and_none_is_left_out_of_the_legend() -> None:
    with figure(4, 3) as (drawn, (axes,)):
        draw_memory(axes, [("_\x1b\udcff" + "x" * 300, [1]), ("_", [2])])
        svg(drawn, {}, "memory")
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [f"1 node of _\\x1b\\udcff{'x' * 2}...{'x' * 12}", "1 node of _"]


def test_as_many_steps_as_are_drawn_and_more() -> None:
    sizes = list(range(MOST_STEPS))
    assert most_of_each(sizes) == sizes
    most_steps = most_of_each([*sizes, *sizes])
    assert len(most_steps) == MOST_STEPS and max(most_steps) == max(sizes) and most_steps[0] == 1
