from __future__ import annotations

from onnxtile.plots.drawing import figure
from onnxtile.plots.memory import MOST_STEPS, draw_memory, most_of_each


def test_each_model_has_a_line_over_its_run() -> None:
    with figure(4, 3) as (_, (axes,)):
        draw_memory(axes, [("a", [1, 5]), ("none", [])])
        lines = [(line.get_label(), list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()]
    assert lines == [("a: 2 nodes", [0, 50, 100], [1, 5, 5])]


def test_as_many_steps_as_are_drawn_and_more() -> None:
    sizes = list(range(MOST_STEPS))
    assert most_of_each(sizes) == sizes
    most_steps = most_of_each([*sizes, *sizes])
    assert len(most_steps) == MOST_STEPS and max(most_steps) == max(sizes) and most_steps[0] == 1
