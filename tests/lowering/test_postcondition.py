"""Test that what lower wrote is judged again, from the file itself: whatever a form gets wrong comes to light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.errors import PassError
from onnxtile.ir.io.protobuf_wire import runs
from onnxtile.lowering import model_file, postcondition
from onnxtile.lowering.model_file import Written
from onnxtile.lowering.model_writer import ModelInPieces
from onnxtile.lowering.report import Report, Row
from onnxtile.operators.sizes import Size
from onnxtile.tiling.forms.batched import Batched
from onnxtile.tiling.forms.unrolled import Unrolled
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.tiled_product import TiledProduct
from tests.lowering.offsets import offsets_of
from tests.support import matmul, parse, whole

F32 = np.dtype(np.float32)
LIMITS = (2, 3, 4)


@pytest.fixture(params=["all shapes inferred", "read from the file"], autouse=True)
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small models are checked as any other, large ones by what's in the file; here each is both."""
    if request.param == "read from the file":
        monkeypatch.setattr(postcondition, "MOST_CHECKED", 0)


def written(model: onnx.ModelProto, folder: Path, **options: object) -> Report:
    report: Report = onnxtile.lower(model, LIMITS, output=folder / "o.onnx", **options)
    return report


def as_written(path: Path) -> Written:
    """Return a file that something else wrote as one that `lower` has just written."""
    return Written(path, len(onnx.load(path).graph.node), offsets_of(path))


@pytest.mark.parametrize("accumulate", ["chain", "tree", "sum"])
@pytest.mark.parametrize("weights", ["pretile", "split"])
@pytest.mark.parametrize("pad_tiles", [False, True])
def test_nothing_is_left(tmp_path: Path, accumulate: str, weights: str, pad_tiles: bool) -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[5,7] x, float[2,5,7] b)
        => (float[5,9] y, float[2,5,9] z) { h = Gemm <transB = 1> (x, w)  y = Relu (h)  z = MatMul (b, v)
        }""",
        w=whole([9, 7], F32, 1),
        v=whole([7, 9], F32, 2),
    )
    report = written(model, tmp_path, accumulate=accumulate, weights=weights, pad_tiles=pad_tiles)
    assert [row.status for row in report.contractions] == ["tiled", "tiled"]
    assert report.ok


def test_tiles_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Unrolled.write

    def too_large(self: Unrolled, sink: object, product: object, *rest: object) -> None:
        sink.node("MatMul", [rest[0].name, rest[1].name], [rest[2]])  # type: ignore[attr-defined]

    monkeypatch.setattr(Unrolled, "write", too_large)
    report = written(matmul([5, 7], [7, 9], [5, 9]), tmp_path, weights="split")
    monkeypatch.setattr(Unrolled, "write", right)
    assert [(row.status, row.m, row.k, row.n) for row in report.over] == [("over", 5, 7, 9)]
    assert not report.ok


def test_what_was_refused_hides_nothing_of_its_size(tmp_path: Path) -> None:
    """Two products alike: one is refused, the other is said to be tiled, and isn't."""
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[5,7] x, float[5,7] z, float[7,9] v)
        => (float[5,9] y, float[5,9] u) {
            [refused] y = MatMul (x, v)
            [cut] u = MatMul (z, v)
        }"""
    )
    onnx.save(model, tmp_path / "o.onnx")
    row = Row("refused", "MatMul", "", Size(5, 7, 9, 1), "float32", "refused", "for this test")
    known = {"x": (5, 7), "z": (5, 7), "v": (7, 9)}
    rows = postcondition.left_over(as_written(tmp_path / "o.onnx"), 2, [row], Limits(*LIMITS), ("matmul",), known)
    assert [each.name for each in rows] == ["cut"]


def test_what_was_refused_is_told_once(tmp_path: Path) -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[n,7] x) => (float[n,9] y) { y = MatMul (x, w) }""",
        w=whole([7, 9], F32, 1),
    )
    report = written(model, tmp_path)
    assert [row.status for row in report.contractions] == ["refused"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda graph: graph.node.pop(0), "reads 'product/A_m0', which nothing computes; please report this"),
        (lambda graph: graph.node.append(graph.node[-1]), "computes 'Y', which is there already; please report this"),
    ],
)
def test_names_that_do_not_fit_together(
    change: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postcondition, "MOST_CHECKED", 0)
    lowered = onnxtile.lower(matmul([5, 7], [7, 9], [5, 9]), LIMITS)
    change(lowered.graph)  # type: ignore[operator]
    onnx.save(lowered, tmp_path / "o.onnx")
    rows: list[Row] = []
    with pytest.raises(PassError, match=words):
        rows += postcondition.left_over(
            as_written(tmp_path / "o.onnx"), 1, (), Limits(*LIMITS), ("matmul",), {"X": (5, 7)}
        )


def test_a_file_that_is_cut_off_is_no_run_of_fields(tmp_path: Path) -> None:
    onnx.save(matmul([5, 7], [7, 9], [5, 9]), tmp_path / "m.onnx")
    data = (tmp_path / "m.onnx").read_bytes()
    with pytest.raises(ValueError, match="is cut off, or of another kind"):
        list(runs(memoryview(data[:-3]), 0, len(data) - 3, 0))


def test_products_that_fit_and_were_not_cut_are_no_concern(tmp_path: Path) -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[2,3] x, float[5,3] z) => (float[2,4] y, float[5,9] u) {
            h = Relu (x)
            y = MatMul (h, v)
            k = Relu (z)
            s = Add (k, one)
            u = MatMul (s, w)
        }""",
        v=whole([3, 4], F32, 1),
        w=whole([3, 9], F32, 2),
        one=whole([3], F32, 3),
    )
    report = written(model, tmp_path)
    assert [row.status for row in report.contractions] == ["fits", "tiled"]


def test_calls_whose_function_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two calls alike one is looked into; the other kind is right."""

    def whole_product(self: Batched, sink: Any, product: TiledProduct, a: Any, b: Any, output: str, _: str) -> None:
        sink.node("MatMul", [a.name, b.name], [output])

    right = Batched.write

    def write(self: Batched, sink: Any, product: TiledProduct, *rest: Any) -> None:
        (whole_product if product.plan.n.size == 9 else right)(self, sink, product, *rest)

    monkeypatch.setattr(Batched, "write", write)
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[5,7] x) => (float[5,9] y, float[5,9] z, float[5,8] u) {
            y = MatMul (x, w)
            z = MatMul (x, w)
            u = MatMul (x, v)
        }""",
        w=whole([7, 9], F32, 1),
        v=whole([7, 8], F32, 2),
    )
    report = written(model, tmp_path, form="function")
    assert [(row.status, row.m, row.k, row.n) for row in report.over] == [("over", 5, 7, 9)]
    assert [row.status for row in report.contractions] == ["tiled", "tiled", "tiled", "over"]


def test_a_product_beside_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show that what is neither a call nor was there before is judged, too."""
    write, model = model_file._write, matmul([5, 7], [7, 9], [5, 9])

    def with_one_more(path: Path, in_pieces: ModelInPieces, *rest: Any) -> Written:
        node = onnx.NodeProto(op_type="MatMul", input=["X", model.graph.initializer[0].name], output=["Z"], name="more")
        field = onnx.GraphProto(node=[node]).SerializeToString()
        in_pieces.nodes.extend(field)
        in_pieces.ends.append(len(in_pieces.nodes))
        return write(path, in_pieces, *rest)

    monkeypatch.setattr(model_file, "_write", with_one_more)
    for form in ("function", "unrolled"):
        report = written(model, tmp_path, form=form, weights="split")
        assert [(row.name, row.m, row.k, row.n) for row in report.over] == [("more", 5, 7, 9)], form
