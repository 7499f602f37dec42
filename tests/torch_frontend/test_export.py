"""Exports to ONNX: what can't be exported is refused, and nothing is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

import onnxtile  # noqa: E402  # the same
from onnxtile.errors import UnsupportedError  # noqa: E402  # the same
from tests.torch_support import inputs_of, saved  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


class Odd(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.linalg.svd(x)[1]


def test_what_torch_cannot_export_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    with pytest.raises(UnsupportedError, match=r"^torch can't export this model to ONNX: .*svd"):
        onnxtile.lower(Odd(), torch.ones(3, 3), max=(4, 4, 4), output=output, keep_exported=tmp_path / "kept.onnx")
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_exporters_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Show that where the older one fails, it prints the whole graph from C++."""
    path = saved("vision", "scripted", tmp_path)
    with pytest.raises(UnsupportedError, match=r"torch can't export this model to ONNX: .*aten::is_autocast_enabled"):
        onnxtile.lower(path, inputs_of("vision"), max=(8, 8, 8))
    assert capfd.readouterr() == ("", "")


def test_several_inputs_by_name_in_any_order() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 6)

        def forward(self, x: Any, scale: Any, shift: Any = None) -> Any:
            return {"y": self.fc(x) * scale, "z": [x - scale if shift is None else shift]}

    lowered = onnxtile.lower(Two(), {"scale": torch.ones(1), "x": torch.randn(3, 4)}, max=(2, 2, 2))
    assert [value.name for value in lowered.graph.input] == ["x", "scale"]
    assert len(lowered.graph.output) == 2
