"""Products in a large unrolled file are judged by the shapes of their operands, read in bulk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.lowering import postcondition
from onnxtile.lowering.lower import lowering_to
from onnxtile.lowering.options import LoweringOptions
from onnxtile.passes.rewrites.convolution_pieces import Pieces
from onnxtile.tiling.limits import Limits
from tests.support import matmul, parse, whole

as_it_is = Pieces.of


@pytest.mark.parametrize("weights", ["pretile", "split"])
@pytest.mark.parametrize(("splits", "opset"), [("split", 20), ("slice", 20), ("slice", 9)])
@pytest.mark.parametrize(("m", "limits"), [(5, (4, 4, 4)), ("n", (None, 4, 4))])
def test_what_was_cut_is_within_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str, splits: str, opset: int, m: int | str,
    limits: tuple[int | None, int, int],
) -> None:  # fmt: skip
    monkeypatch.setattr(postcondition, "MOST_CHECKED", 0)  # as for a file of very many nodes
    options = LoweringOptions.of(limits, weights=weights, splits=splits)  # type: ignore[arg-type]
    model = matmul([m, 6], [6, 7], [m, 7], opset)
    with lowering_to(model, tmp_path / "o.onnx", options) as (_, report):
        assert report.ok
    assert [row.status for row in report.contractions] == ["tiled"]
    assert onnxtile.check(tmp_path / "o.onnx", limits).ok
    assert len(onnx.load(tmp_path / "o.onnx").graph.node) == report.nodes_after


def test_split_convolutions_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[2,4,6] x) => (float[2,6,3] z) { [conv] y = Conv <group: int = 2> (x, w)  z = MatMul (y, v) }""",
        w=whole([6, 2, 3], np.dtype(np.float32), 1), v=whole([4, 3], np.dtype(np.float32), 2),
    )  # fmt: skip
    monkeypatch.setattr(postcondition, "MOST_CHECKED", 0)  # as for a file of very many nodes
    options = LoweringOptions.of((3, 3, 2), conv="split")
    with lowering_to(model, tmp_path / "o.onnx", options) as (_, report):
        assert [row.status for row in report.contractions] == ["split", "tiled"]
    monkeypatch.setattr(Pieces, "of", lambda geometry, limits: as_it_is(geometry, Limits(None, 3, None)))
    with lowering_to(model, tmp_path / "o.onnx", options) as (_, report):
        wrong = report.having("over")
    assert {(row.name[:5], row.op, row.size.axes) for row in wrong} == {("conv/", "Conv", (8, 3, 3))}
