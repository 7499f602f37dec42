from __future__ import annotations

from tests.exploration.studies import row, study


def test_the_front_and_the_best_the_smaller_of_equal_ones() -> None:
    found = study(
        [
            row({"a": "1"}, 100, 64, 4096),
            row({"a": "2"}, 100, 64, 1024),
            row({"a": "3"}, 50, 256, 1024),
            row({"a": "4"}, 120, 256, 1024),
            row({"a": "5"}, None, reason="no call fits"),
        ]
    )
    assert [point.values["a"] for point in found.front] == ["3", "2"]
    assert found.best is not None and found.best.values == {"a": "3"}
    assert str(found).splitlines() == ["5 engines, 1 model", "a  cycles", "3      50", "2     100"]
    assert found.to_json()["measure"] == "cycles"


def test_models_together_and_no_point_where_one_is_not_known() -> None:
    rows = [
        row({"a": "1"}, 10, model="x"), row({"a": "1"}, 90, model="y"),
        row({"a": "2"}, 1, model="x"), row({"a": "2"}, None, model="y", reason="no call fits"),
    ]  # fmt: skip
    found = study(rows, ("x", "y"))
    assert [(point.values["a"], point.cost) for point in found.points] == [("1", 100)]


def test_what_engines_are_compared_by() -> None:
    assert study([row({"a": "1"}, None)]).measure == "bytes"
    assert study([row({"a": "1"}, None)]).points[0].cost == 1000
    clocks = study([row({"clock": "1 GHz"}, 10, seconds=1e-8), row({"clock": "2 GHz"}, 15, seconds=7.5e-9)])
    assert clocks.measure == "seconds"
    assert clocks.best is not None and clocks.best.values == {"clock": "2 GHz"}


def test_no_engine_is_best_where_none_runs_the_models() -> None:
    found = study([row({"a": "1"}, None, reason="no call fits")])
    assert (found.best, found.front, str(found)) == (None, (), "1 engine, 1 model")
