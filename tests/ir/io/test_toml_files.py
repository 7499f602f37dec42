"""Files in TOML: of a bounded size, told where they aren't TOML, and values as a file has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxtile.errors import UsageError
from onnxtile.ir.io.toml_files import LONGEST, MOST_BYTES, table_of_text, text_of_file, toml_text
from tests.commands import exact


def test_values_are_shown_as_a_file_has_them_up_to_a_length() -> None:
    assert toml_text("x" * (LONGEST - 2)) == f'"{"x" * (LONGEST - 2)}"'
    assert toml_text("x" * (LONGEST - 1)) == f'"{"x" * (LONGEST - 1)}...'
    assert toml_text([1, "a", True, {"a b": 0.5}]) == '[1, "a", true, { "a b" = 0.5 }]'
    assert toml_text([0] * 100).endswith("0, 0,...")
    assert len(toml_text({str(at): [at] * 1000 for at in range(1000)})) == LONGEST + 3
    assert (toml_text(2**64 - 1), toml_text(2**64)) == (str(2**64 - 1), "a number of 65 bits")


def test_files_up_to_most_bytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("#" * MOST_BYTES)
    assert text_of_file(path, "a.toml", "engine file") == "#" * MOST_BYTES
    path.write_text("#" * (MOST_BYTES + 1))
    with pytest.raises(UsageError, match="^a.toml: more than 100,000 bytes aren't an engine file$"):
        text_of_file(path, "a.toml", "engine file")


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    for path, words in {tmp_path: " is no file: give the path of one", tmp_path / "b": ": no such file or dir"}.items():
        with pytest.raises(UsageError, match=f"^pipeline 'b'{words}"):
            text_of_file(path, "b", "pipeline file")


def test_what_is_not_toml_is_told_with_its_line() -> None:
    assert table_of_text("a = 1", "f", "pipeline file", "mend it") == {"a": 1}
    with pytest.raises(UsageError, match=exact('f: line 2, column 5 isn\'t TOML: invalid value, in "b = x"; mend it')):
        table_of_text("a = 1\nb = x", "f", "pipeline file", "mend it")
