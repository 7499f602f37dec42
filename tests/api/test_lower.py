"""`lower` in Python: its options, what comes back, and calls that are refused in words."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import onnx
import onnx_graphsurgeon
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.cli.lower import command as lower_command
from onnxtile.lowering.options import LoweringOptions
from onnxtile.operators.contractions import families
from tests.support import matmul

LIMITS = (4, 4, 4)


def test_defaults_are_those_of_the_options() -> None:
    """Public functions and the command line write them out: help shows them, and nothing heavy is imported."""
    options = LoweringOptions.of(LIMITS)
    shown = {name: value.default for name, value in inspect.signature(onnxtile.lower).parameters.items()}
    command = {name: value.default for name, value in inspect.signature(lower_command).parameters.items()}
    for name in (
        "form",
        "weights",
        "accumulate",
        "max_nodes",
        "max_fan_in",
        "max_fan_out",
        "splits",
        "pad_tiles",
        "depthwise",
        "conv",
        "value_info",
    ):
        assert getattr(options, name) == shown[name] == command[name]
    assert options.data.align == shown["align_data"] == command["align_data"]
    assert options.families == families(shown["ops"]) == families(command["ops"])


def test_limits_in_the_second_place_or_by_name() -> None:
    model = matmul([6, 9], [9, 10], [6, 10])
    assert onnxtile.lower(model, LIMITS) == onnxtile.lower(model, max=LIMITS) == onnxtile.lower(model, "4,4,4")


def test_what_comes_back_is_what_was_given(tmp_path: Path) -> None:
    model = matmul([6, 9], [9, 10], [6, 10])
    onnx.save(model, tmp_path / "m.onnx")
    assert isinstance(onnxtile.lower(model, LIMITS), onnx.ModelProto)
    assert isinstance(onnxtile.lower(ir.from_proto(model), LIMITS), ir.Model)
    assert isinstance(onnxtile.lower(tmp_path / "m.onnx", LIMITS), onnx.ModelProto)
    assert onnxtile.lower(model, LIMITS, output=tmp_path / "l.onnx").ok


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop", "function"])
def test_a_lowering_that_is_verified(form: str, tmp_path: Path) -> None:
    model = matmul([6, 9], [9, 10], [6, 10])
    plain = onnxtile.lower(model, LIMITS, form=form)  # type: ignore[call-overload]  # a name of a form
    assert onnxtile.lower(model, LIMITS, form=form, verify=True) == plain  # type: ignore[call-overload]
    onnxtile.lower(model, LIMITS, form=form, verify=True, output=tmp_path / "l.onnx")  # type: ignore[call-overload]
    assert (tmp_path / "l.onnx").exists()


def test_one_that_is_not_equivalent_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault is put into what is written: an Add of two tiles becomes a Sub."""
    from onnxtile.tiling.forms.unrolled import Unrolled

    right = Unrolled.write

    def with_a_fault(self: Unrolled, sink: object, *arguments: object) -> None:
        class Faulty:
            def __getattr__(self, name: str) -> object:
                return getattr(sink, name)

            def node(self, op: str, *rest: object, **more: object) -> object:
                return sink.node("Sub" if op == "Add" else op, *rest, **more)  # type: ignore[attr-defined]

        right(self, Faulty(), *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Unrolled, "write", with_a_fault)
    model = matmul([6, 9], [9, 10], [6, 10])
    for options in ({}, {"output": tmp_path / "l.onnx"}):
        with pytest.raises(
            onnxtile.PassError, match="the lowered model isn't equivalent: MatMul 'product': .*wasn't kept"
        ):
            onnxtile.lower(model, LIMITS, verify=True, **options)  # type: ignore[call-overload]
    assert not list(tmp_path.iterdir())


def test_calls_that_are_refused(tmp_path: Path) -> None:
    model = matmul([6, 9], [9, 10], [6, 10])
    with pytest.raises(onnxtile.UsageError, match=r"no limits are given: say max=\(M, K, N\), such as"):
        onnxtile.lower(model)  # type: ignore[call-overload]
    with pytest.raises(onnxtile.UsageError, match="inputs is for models of torch"):
        onnxtile.lower(model, LIMITS, max=LIMITS)  # type: ignore[call-overload]
    with pytest.raises(onnxtile.UsageError, match="keep_exported is for models of torch"):
        onnxtile.lower(model, LIMITS, keep_exported=tmp_path / "e.onnx")  # type: ignore[call-overload]


@pytest.mark.parametrize("form", ["unrolled", "function"])
def test_a_report_of_a_model_in_memory(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show that what is left over is found in memory as it is in a file."""
    model = matmul([6, 9], [9, 10], [6, 10])
    for kind in (model, ir.from_proto(model), onnx_graphsurgeon.import_onnx(model)):
        lowered, report = onnxtile.lower(kind, LIMITS, form=form, report=True)  # type: ignore[call-overload]
        assert type(lowered) is type(kind)
        assert [row.status for row in report.contractions] == ["tiled"]
        assert report.nodes_before == 1
        assert report.ok


def test_a_report_tells_of_what_a_form_got_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(self: object, sink: Any, product: object, a: Any, b: Any, output: str, prefix: str) -> None:
        sink.node("MatMul", [a.name, b.name], [output])

    monkeypatch.setattr("onnxtile.tiling.forms.unrolled.Unrolled.write", whole)
    _, report = onnxtile.lower(matmul([6, 9], [9, 10], [6, 10]), LIMITS, weights="split", report=True)
    assert [row.status for row in report.over] == ["over"]
    assert report.nodes_after == 1
