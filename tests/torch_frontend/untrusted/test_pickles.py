"""Pickles that would call anything but what tensors are made of are refused, and don't run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

from tests.torch_files import Evil, archive, changed, members, refused  # noqa: E402  # torch may be missing


def test_a_pickle_in_torchscript_that_calls_python_is_refused(script: Path, tmp_path: Path) -> None:
    path, trap = tmp_path / "net.pt", tmp_path / "trap"
    for member in ("/data.pkl", "/constants.pkl"):
        refused(changed(script, path, member, lambda _: pickle.dumps(Evil(trap), 2)), r"would call '\w+\.open'", trap)
    evil = pickle.dumps(Evil(trap), 4)
    refused(changed(script, path, "/data.pkl", lambda _: evil), "opcode STACK_GLOBAL, which torch doesn't write", trap)
    refused(changed(script, path, "/data.pkl", lambda data: data[:-20]), "damaged or cut off")
    content = members(script)
    lookalike = {name: data for name, data in content.items() if "/code/" not in name}
    refused(archive(path, lookalike), "a pickle of Python objects")
    refused(archive(path, {**content, "net/model.json": b"{}"}), "torch 1.1 and before")
