from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from onnxtile.errors import UsageError
from onnxtile.exploration.rows import headings
from onnxtile.exploration.store import Store
from tests.exploration.studies import figures, row

FIELDS = ["local.size"]
ROWS = [row({"local.size": f"{size} KiB"}, size) for size in (1, 2, 3)]
KEYS = {row.key for row in ROWS}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_rows_of_a_run_that_ended_early_are_there_for_the_next_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    growing = path if name == "rows.csv" else tmp_path / "rows.parquet.csv"
    with Store.open(path, FIELDS, KEYS) as store:
        store.append([ROWS[2]])
        store.append([ROWS[0]])
    assert [line["key"] for line in read(growing)] == [ROWS[2].key, ROWS[0].key]
    with Store.open(path, FIELDS, KEYS) as store:
        assert store.done == {ROWS[2].key: figures(3), ROWS[0].key: figures(1)}
        store.append([ROWS[1]])
        store.finish(ROWS)
    if name == "rows.csv":
        assert [line["local.size"] for line in read(path)] == ["1 KiB", "2 KiB", "3 KiB"]
    else:
        assert not growing.exists()
        assert pyarrow.parquet.read_table(path).column("cycles").to_pylist() == [1, 2, 3]
    with Store.open(path, FIELDS, KEYS) as store:
        assert store.done.keys() == KEYS


def test_numbers_that_parquet_cannot_hold_stay_in_the_rows_that_grew(tmp_path: Path) -> None:
    large, path = row({"local.size": "1 KiB"}, 2**63), tmp_path / "rows.parquet"
    with Store.open(path, FIELDS, {large.key}) as store:
        store.append([large])
        with pytest.raises(UsageError, match="a number takes more than 64 bits; the rows are in .*rows.parquet.csv"):
            store.finish([large])
    assert [line["cycles"] for line in read(tmp_path / "rows.parquet.csv")] == [str(2**63)]
    assert not path.exists()


def test_a_row_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with Store.open(path, FIELDS, KEYS) as store:
        store.append(ROWS[:2])
    path.write_text(path.read_text()[:-5])
    with Store.open(path, FIELDS, KEYS) as store:
        assert store.done.keys() == {ROWS[0].key}
        store.append(ROWS[2:])
    assert [line["key"] for line in read(path)] == [ROWS[0].key, ROWS[2].key]


HEAD = ",".join(headings(FIELDS)) + "\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name,size\na,1\n", "is there and isn't a table of this sweep; give another path"),
        (b"\xff\xfe\x00", "is there and isn't a table of this sweep; give another path"),
        (HEAD.encode() + b"a,1 KiB\n", "line 2 isn't a row of a sweep"),
        (HEAD.encode() + b"," * (len(headings(FIELDS)) - 1) + b"\n", "has a row that isn't one of a sweep"),
    ],
)
def test_files_of_others_stay_as_they_are(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(words)), Store.open(path, FIELDS, KEYS):
        pass
    assert path.read_bytes() == content


def test_rows_of_other_engines_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with Store.open(path, FIELDS, KEYS) as store:
        store.append(ROWS)
    words = "has 2 rows of other engines, models or options; give another path"
    with pytest.raises(UsageError, match=words), Store.open(path, FIELDS, {ROWS[0].key}):
        pass
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    words = "isn't a table of this sweep"
    with pytest.raises(UsageError, match=words), Store.open(tmp_path / "rows.parquet", FIELDS, KEYS):
        pass


def test_one_sweep_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with (
        Store.open(path, FIELDS, KEYS),
        pytest.raises(UsageError, match="is being written by another sweep"),
        Store.open(path, FIELDS, KEYS),
    ):
        pass


def test_outputs_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"a sweep writes .csv or .parquet"), Store.open(tmp_path / "a.txt", [], ()):
        pass
    with pytest.raises(UsageError, match="its folder doesn't exist"), Store.open(tmp_path / "b" / "a.csv", [], ()):
        pass
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match="pip install pyarrow"), Store.open(tmp_path / "a.parquet", [], ()):
        pass
