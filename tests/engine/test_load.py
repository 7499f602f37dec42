from __future__ import annotations

from pathlib import Path

import pytest

from onnxtile.engine.description import Engine
from onnxtile.engine.load import BUILT_IN, MOST_BYTES, names
from onnxtile.errors import UsageError


def test_built_in_descriptions_are_read() -> None:
    for name in names():
        assert Engine.load(name).name == name


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="systolic-23': no such file or directory; did you mean 'systolic-32'"):
        Engine.load("systolic-23")


def test_what_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text("version = = 1")
    with pytest.raises(UsageError, match="Invalid value"):
        Engine.load(tmp_path / "e.toml")


def test_files_up_to_a_size_are_read(tmp_path: Path) -> None:
    text, path = (BUILT_IN / "systolic-32.toml").read_text() + "#", tmp_path / "e.toml"
    path.write_text(text.ljust(MOST_BYTES))
    assert Engine.load(path).name == "systolic-32"
    path.write_text(text.ljust(MOST_BYTES + 1))
    with pytest.raises(UsageError, match="more than 1,000,000 bytes aren't an engine file"):
        Engine.load(path)
