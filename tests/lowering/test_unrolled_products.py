"""Products in a large unrolled file are judged by the shapes of their operands, read in bulk."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import onnxtile
from onnxtile.lowering import postcondition
from onnxtile.lowering.lower import lowering_to
from onnxtile.lowering.options import LoweringOptions
from tests.support import matmul


@pytest.mark.parametrize("weights", ["pretile", "split"])
@pytest.mark.parametrize(("m", "limits"), [(5, (4, 4, 4)), ("n", (None, 4, 4))])
def test_what_was_cut_is_within_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str, m: int | str, limits: tuple[int | None, int, int]
) -> None:
    monkeypatch.setattr(postcondition, "MOST_CHECKED", 0)  # as for a file of very many nodes
    options = LoweringOptions.of(limits, weights=weights)  # type: ignore[arg-type]
    with lowering_to(matmul([m, 6], [6, 7], [m, 7]), tmp_path / "o.onnx", options) as (_, report):
        assert report.ok
    assert [row.status for row in report.contractions] == ["tiled"]
    assert onnxtile.check(tmp_path / "o.onnx", limits).ok
    assert len(onnx.load(tmp_path / "o.onnx").graph.node) == report.nodes_after
