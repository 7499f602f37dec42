from __future__ import annotations

import re
from pathlib import Path

from onnxtile.exploration.study import Study, duration
from onnxtile.exploration.sweep import sweep
from tests.exploration.models import ENGINE, chain


def test_what_was_found_before_is_not_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    whole = sweep(chain(), ENGINE, ["local.size=16KiB:256KiB:x4", "product.fill=0,8"], output=path)
    table = path.read_text()
    lines = table.splitlines(keepends=True)
    changed = [re.sub(r"(,16 KiB,0),\d+,", r"\1,123456789,", line) for line in lines]  # to be told from a new one
    path.write_text("".join([changed[0], changed[5], changed[1]]))
    told: list[str] = []
    again = sweep(
        chain(), ENGINE, ["local.size=16KiB:256KiB:x4", "product.fill=0,8"], output=path,
        progress=lambda words, done=0, total=None: told.append(f"{words}|{done}|{total}"),
    )  # fmt: skip
    assert [row.figures and row.figures.cycles for row in again.rows[:1]] == [123456789]
    assert again.rows[1:] == whole.rows[1:]
    assert path.read_text().splitlines()[2:] == table.splitlines()[2:]
    assert [words.split("about")[0] for words in told if words.startswith("engines")] == [
        f"engines {count} of 6, " for count in range(3, 7)
    ]
    assert told[-1].endswith("left|6|6")


def test_keys_follow_from_the_engine_and_what_is_minimized_but_not_from_its_name() -> None:
    def keys(**options: str) -> list[str]:
        return [row.key for row in sweep(chain(), ENGINE, ["local.size=8KiB,16KiB"], **options).rows]  # type: ignore[arg-type]

    first, second = keys()
    assert first != second
    assert [first, second] == keys(minimize="cycles")
    assert first not in keys(minimize="bytes")


def test_times_that_are_left() -> None:
    assert [duration(seconds) for seconds in (0.2, 99, 100, 5999, 6000)] == ["0 s", "99 s", "2 min", "100 min", "1.7 h"]
    assert Study.__doc__
