from __future__ import annotations

from pathlib import Path

import pytest

from onnxtile.engine.description import Engine
from onnxtile.engine.load import names
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
