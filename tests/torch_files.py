"""Make damaged and hostile files of torch: archives that are changed, and pickles that would run code."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from onnxtile.errors import ModelError
from onnxtile.torch_frontend.load import load

Members = dict[str, bytes]


class Sized(torch.nn.Module):
    """Has a constant, a buffer, a size that's free, keyword inputs and a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
        self.register_buffer("scale", torch.arange(4.0))

    def forward(self, x: Any, *, k: Any) -> Any:
        return {"a": self.layer(x) * self.scale + k["z"].sum(), "b": x.shape[0] * 2}


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(path: Path, content: Members) -> str:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in content.items():
            made.writestr(name, data)
    return str(path)


def changed(source: Path, path: Path, name: str, change: Callable[[bytes], bytes]) -> str:
    content = members(source)
    key = next(key for key in content if key.endswith(name))
    content[key] = change(content[key])
    return archive(path, content)


class Evil:
    """A pickle of it makes a file when it's read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def refused(path: str | Path, words: str, trap: Path | None = None) -> None:
    with pytest.raises(ModelError, match=words) as error:
        load(str(path))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))
    assert trap is None or not trap.exists()
