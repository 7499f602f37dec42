from __future__ import annotations

from onnxtile.plots.drawing import figure
from onnxtile.plots.trade import FEW, LABELS, draw_trade
from tests.exploration.studies import row, study


def test_engines_and_their_front() -> None:
    rows = [row({"array": f"{n}x{n}"}, 4096 // n, n * n, 1024) for n in (8, 16, 32)]
    with figure(6, 4) as (_, axes):
        titles = draw_trade(axes[0], study([*rows, row({"array": "slow"}, 9999, 1024, 1024)]))
        names = [text.get_text() for text in axes[0].texts]
        ticks = [text.get_text() for text in axes[0].get_xticklabels()]
    assert titles["engine-0"] == "array 8x8: 512 cycles, 1 KiB of local memory"
    assert sorted(names) == ["16x16", "32x32", "8x8"]
    assert ticks == ["64", "256", "1,024"]


def test_engines_that_are_named_and_more() -> None:
    for count in (LABELS, LABELS + 1):
        rows = [row({"array": str(at)}, 4**at, 4 ** (count - at), 1024) for at in range(count)]
        with figure(12, 12) as (_, axes):
            draw_trade(axes[0], study(rows))
            assert len(axes[0].texts) == LABELS


def test_few_sizes_of_memory_have_colours_of_their_own_and_more_share_them() -> None:
    for count, first in ((FEW, "1 KiB"), (FEW + 1, "1 KiB to 2 KiB")):
        rows = [row({"size": str(size)}, 100, 64, 1024 * size) for size in range(1, count + 1)]
        with figure(6, 4) as (_, axes):
            draw_trade(axes[0], study(rows))
            legend = axes[0].get_legend()
            assert legend is not None
            assert legend.get_texts()[0].get_text() == first


def test_no_engine_is_said() -> None:
    with figure(6, 4) as (_, axes):
        assert draw_trade(axes[0], study([row({"a": "1"}, None, reason="no")])) == {}
        assert axes[0].texts[0].get_text() == "no engine runs the models"
