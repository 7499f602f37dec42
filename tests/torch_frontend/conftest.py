"""Files of torch, as torch writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from tests import torch_scripts

    path = tmp_path_factory.mktemp("script") / "net.pt"
    torch.jit.save(torch.jit.script(torch_scripts.Loops().eval()), str(path))
    return path


@pytest.fixture(scope="session")
def program() -> Any:
    import torch

    from tests.torch_files import Sized

    batch = torch.export.Dim("batch", min=2, max=64)
    shapes = {"x": {0: batch}, "k": {"z": None}}
    return torch.export.export(
        Sized(), (torch.randn(4, 4),), {"k": {"z": torch.randn(2)}}, dynamic_shapes=shapes, strict=False
    )


@pytest.fixture(scope="session")
def exported(program: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    torch.export.save(program, path)
    return path
