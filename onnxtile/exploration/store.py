"""The file of a sweep: rows are appended as they come, so that a sweep that was killed goes on where it was."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from onnxtile.errors import UsageError, system_words
from onnxtile.exploration.rows import Figures, Row, columns_of, headings, outcome_of
from onnxtile.ir.io.files import check_output, replacing
from onnxtile.ir.io.partial_files import alone_with

KINDS = (".csv", ".parquet")


class Store:
    """A table in the making. `done`: what a run before found, by the rows' keys.

    A CSV file grows row by row; beside one of Parquet, `FILE.csv` does. At the end rows are put in order, whichever
    run found them.
    """

    def __init__(self, path: Path, fields: Sequence[str]) -> None:
        self._path, self._fields = path, fields
        self._parquet = path.suffix.lower() == ".parquet"
        self._journal = path.with_name(f"{path.name}.csv") if self._parquet else path
        self.done: dict[str, Figures | str] = {}

    @classmethod
    @contextmanager
    def open(cls, path: Path, fields: Sequence[str], keys: Container[str]) -> Iterator[Store]:
        """Give the table, with what it holds already; raises UsageError where it holds something else.

        `keys`: those of the rows that it's going to have. Only one run may have it open.
        """
        check_store(path)
        store = cls(path, fields)
        check_output(store._journal)
        try:
            if not store._journal.exists() or store._journal.stat().st_size == 0:
                store._journal.write_text(_line(headings(fields)), encoding="utf-8")
            with alone_with(store._journal) as alone:
                if not alone:
                    raise UsageError(f"{path} is being written by another sweep; give another path, or wait for it")
                if store._parquet and path.exists():
                    store._take(_parquet_rows(path), path, keys)
                store._take(store._read_journal(), store._journal, keys)
                yield store
        except OSError as error:
            raise UsageError(f"output {path} can't be written: {system_words(error)}") from error

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows behind those that are there."""
        lines = "".join(_line(list(row.cells().values())) for row in rows)
        with self._journal.open("a", encoding="utf-8", newline="") as file:
            file.write(lines)

    def finish(self, rows: Sequence[Row]) -> None:
        """Write the whole table, in this order, in the place of what was appended.

        UsageError for a number that Parquet can't hold; what was appended stays.
        """
        with replacing(self._path) as temporary:
            if self._parquet:
                try:
                    _write_parquet(temporary, rows, self._fields)
                except OverflowError as error:
                    words = f"a number takes more than 64 bits; the rows are in {self._journal}"
                    raise UsageError(f"output {self._path}: {words}") from error
            else:
                lines = [headings(self._fields), *(list(row.cells().values()) for row in rows)]
                temporary.write_text("".join(map(_line, lines)), encoding="utf-8", newline="")
        if self._parquet:
            self._journal.unlink()

    def _read_journal(self) -> Iterator[Mapping[str, str]]:
        """Yield the cells of whole rows; of one that a kill cut off, nothing stays."""
        try:
            text = self._journal.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise self._foreign(self._journal) from error
        whole = text[: text.rfind("\n") + 1]
        lines = csv.reader(io.StringIO(whole, newline=""))
        try:
            if next(lines, None) != headings(self._fields):
                raise self._foreign(self._journal)
            for number, line in enumerate(lines, 2):
                if len(line) != len(headings(self._fields)):
                    raise UsageError(f"{self._journal} line {number} isn't a row of a sweep; give another path")
                yield dict(zip(headings(self._fields), line, strict=True))
        except csv.Error as error:
            raise self._foreign(self._journal) from error
        if whole != text:
            self._journal.write_text(whole, encoding="utf-8", newline="")

    def _take(self, rows: Iterable[Mapping[str, str]], path: Path, keys: Container[str]) -> None:
        strange = 0
        for cells in rows:
            if not set(headings(self._fields)) <= cells.keys():
                raise self._foreign(path)
            try:
                self.done[cells["key"]] = outcome_of(cells)
            except ValueError as error:
                raise UsageError(f"{path} has a row that isn't one of a sweep ({error}); give another path") from error
            strange += cells["key"] not in keys
        if strange:
            words = f"{path} has {strange:,} rows of other engines, models or options"
            raise UsageError(f"{words}; give another path, or move it away")

    @staticmethod
    def _foreign(path: Path) -> UsageError:
        return UsageError(f"{path} is there and isn't a table of this sweep; give another path, or move it away")


def check_store(path: Path) -> None:
    """Raise UsageError where a sweep can't write such a file."""
    check_output(path)
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"output {path}: a sweep writes .csv or .parquet; give such a name")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            words = "Parquet takes pyarrow, which isn't installed: pip install pyarrow, or write .csv"
            raise UsageError(f"output {path}: {words}") from error


def _line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()


def _parquet_rows(path: Path) -> Iterator[Mapping[str, str]]:
    """Yield the cells of a Parquet file's rows as text."""
    import pyarrow
    import pyarrow.parquet

    try:
        for row in pyarrow.parquet.read_table(path).to_pylist():
            yield {str(name): "" if cell is None else str(cell) for name, cell in row.items()}
    except (pyarrow.ArrowException, OSError) as error:
        raise Store._foreign(path) from error


def _write_parquet(path: Path, rows: Sequence[Row], fields: Sequence[str]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns_of(rows, fields)), path)
