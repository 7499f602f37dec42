"""What watches a pipeline: numbers after each pass, dumps, times, and what is left of a failure."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_ir.passes.common import IdentityEliminationPass

import onnxtile
from onnxtile.debugging.instruments.dump_after import DumpAfter
from onnxtile.debugging.instruments.reproducer import Reproducer
from onnxtile.debugging.instruments.verify_each import VerifyEach
from onnxtile.errors import LimitsError, PassError, UsageError
from onnxtile.passes.instrument import Instrument, Timing, Turn
from onnxtile.passes.manager import PassManager
from onnxtile.passes.registry import parse_pipeline, pipeline_text
from tests.cli.test_app import Cli, cli
from tests.planted import Denies, network
from tests.support import ROOT, matmul, parse, whole

__all__ = ["cli"]  # a fixture
GOOD = "infer-shapes,decompose-gemm,tile-matmul{max=4,4,4}"


class Diary(Instrument):
    """Writes down what it's told."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name, self.lines = name, lines

    def before_pipeline(self, passes: object) -> None:
        self.lines.append(f"{self.name} pipeline")

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        self.lines.append(f"{self.name} before {turn.name}")

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        self.lines.append(f"{self.name} after {turn.name} {modified}")

    def on_failure(self, turn: Turn, error: onnxtile.OnnxtileError) -> onnxtile.OnnxtileError:
        self.lines.append(f"{self.name} failed {turn.name}")
        return type(error)(f"{error}; {self.name} knows")


def test_instruments_are_nested_around_each_pass() -> None:
    lines: list[str] = []
    manager = PassManager(
        "infer-shapes,tests.planted:Raises", instruments=[Diary("outer", lines), Diary("inner", lines)]
    )
    with pytest.raises(PassError, match="^pass Raises failed: KeyError: 'lost'; inner knows; outer knows$"):
        manager(ir.from_proto(network()))
    assert lines == [
        "outer pipeline", "inner pipeline",
        "outer before infer-shapes", "inner before infer-shapes",
        "inner after infer-shapes True", "outer after infer-shapes True",
        "outer before Raises", "inner before Raises", "inner failed Raises", "outer failed Raises",
    ]  # fmt: skip


def test_times_are_those_of_passes_that_ended() -> None:
    timing = Timing()
    PassManager(GOOD, instruments=[timing])(ir.from_proto(network()))
    PassManager("unroll-tiles", instruments=[timing])(ir.from_proto(network()))
    assert [(step.name, step.modified) for step in timing.steps] == [
        ("infer-shapes", True), ("decompose-gemm", True), ("tile-matmul", True), ("unroll-tiles", False),
    ]  # fmt: skip
    assert [(step.nodes_before, step.nodes_after) for step in timing.steps[:2]] == [(15, 15), (15, 18)]


@pytest.mark.parametrize(
    "name", ["DropsTheLastTile{max=4,4,4}", "SwapsSub", "ForgetsTheBias", "IgnoresTransB", "LosesAlpha", "WrongAxis"]
)
def test_the_first_pass_that_changes_numbers_is_named(name: str) -> None:
    manager = PassManager(f"infer-shapes,tests.planted:{name},decompose-gemm", instruments=[VerifyEach()])
    words = f"^pass {name.partition('{')[0]} left a model that isn't equivalent: [A-Z]\\w+ '\\w+': "
    with pytest.raises(PassError, match=words):
        manager(ir.from_proto(network()))


def test_passes_that_keep_the_numbers_are_let_through() -> None:
    manager = PassManager(f"bind-dims{{b=6}},{GOOD},unroll-tiles", instruments=[VerifyEach(cases=2)])
    assert manager(ir.from_proto(matmul(["b", 8], [8, 8], ["b", 8]))).modified


DENIED = {
    "swaps": "that isn't equivalent \\(the pass says that it changed nothing\\): Sub 'less'",
    "weights": "that isn't equivalent \\(the pass says that it changed nothing\\): ",
    "in place": "that isn't equivalent \\(the pass says that it changed nothing\\): ",
    "dangles": "invalid model: .* \\(the pass says that it changed nothing\\)",
}


@pytest.mark.parametrize("how", DENIED)
def test_a_pass_that_denies_its_change_is_compared_too(how: str) -> None:
    model = ir.from_proto(network())
    value = model.graph.initializers["u"]
    assert value.const_value is not None
    value.const_value = ir.tensor(np.tile(value.const_value.numpy(), (1, 1)).copy(), name="u")  # that can be written to
    manager = PassManager([Denies(how)], instruments=[VerifyEach()])
    with pytest.raises(PassError, match=f"^pass Denies left a[n]? ?.*{DENIED[how]}"):
        manager(model)


@pytest.mark.parametrize("how", ["renames", "annotates"])
def test_a_pass_that_denies_a_harmless_change_is_named(how: str) -> None:
    verifying = VerifyEach()
    manager = PassManager(["infer-shapes", Denies(how), "decompose-gemm"], instruments=[verifying])
    manager(ir.from_proto(network()))
    assert verifying.unreported == {1}
    PassManager(["infer-shapes", Denies("nothing")], instruments=[verifying])(ir.from_proto(network()))
    assert verifying.unreported == set()


class Functional(ir.passes.FunctionalPass):
    """Gives another model than it got, as passes of others do."""

    def __init__(self, wrong: bool) -> None:
        self.wrong = wrong

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        copy = model.clone()
        if self.wrong:
            Denies("swaps")(copy)
        return ir.passes.PassResult(copy, modified=False)


def test_functional_passes_and_those_of_onnx_ir_are_compared() -> None:
    verifying = VerifyEach()
    PassManager([Functional(wrong=False), IdentityEliminationPass(), "infer-shapes"], instruments=[verifying])(
        ir.from_proto(network())
    )
    assert verifying.unreported == set()
    with pytest.raises(PassError, match="pass Functional left a model that isn't equivalent"):
        PassManager([Functional(wrong=True)], instruments=[verifying])(ir.from_proto(network()))


def test_run_names_passes_that_deny_their_change(cli: Cli, path: Path) -> None:
    call = ["run", path, "--verify-each", "-o", path.with_name("o.onnx"), "--passes"]
    status, out, _ = cli(*call, "tests.planted:Denies{how=renames}")
    assert (status, out.splitlines()[1]) == (0, "pass Denies changed the model and says that it didn't")
    rows = json.loads(cli(*call, "tests.planted:Denies{how=renames},infer-shapes", "--json")[1])["passes"]
    assert [(row["modified"], row["verified"], row["unreported"]) for row in rows] == [
        (False, True, True), (True, True, False),
    ]  # fmt: skip
    status, out, err = cli(*call, "tests.planted:Denies")
    assert (status, out) == (2, "")
    assert err.startswith(
        "onnxtile: pass Denies left a model that isn't equivalent (the pass says that it changed noth"
    )


def test_what_cannot_be_verified_says_so() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[b,k] x) => (float[b,8] y)
        {
            s = Constant <value_ints = [-1, 5]> ()  h = Identity (x)
            r = Reshape (h, s)  y = MatMul (r, w)
        }""",  # b and k are taken as 2, and 5 divides b * k
        w=whole([5, 8], np.dtype(np.float32), 0),
    )
    manager = PassManager([IdentityEliminationPass()], instruments=[VerifyEach()])
    with pytest.raises(onnxtile.UnsupportedError, match="can't be verified: no engine .*bind-dims{name=size}"):
        manager(ir.from_proto(model))


def test_dumps_are_models_that_run(tmp_path: Path) -> None:
    PassManager(GOOD, instruments=[DumpAfter("all", tmp_path / "dumps")])(ir.from_proto(network()))
    files = sorted((tmp_path / "dumps").iterdir())
    assert [path.name for path in files] == ["01-infer-shapes.onnx", "02-decompose-gemm.onnx", "03-tile-matmul.onnx"]
    assert all(onnxtile.verify(network(), path).equivalent for path in files)
    assert onnx.load(files[2]).functions
    PassManager(GOOD, instruments=[DumpAfter("decompose-gemm", tmp_path / "one")])(ir.from_proto(network()))
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["02-decompose-gemm.onnx"]


def test_dumps_stay_in_their_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "dumps", tmp_path / "outside.onnx"
    folder.mkdir()
    outside.write_bytes(b"old")
    (folder / "01-infer-shapes.onnx").symlink_to(outside)
    with pytest.raises(UsageError, match="is a link, perhaps out of its folder"):
        PassManager(GOOD, instruments=[DumpAfter("all", folder)])(ir.from_proto(network()))
    assert outside.read_bytes() == b"old"
    with pytest.raises(UsageError, match="dumps go to a folder, and .*outside.onnx isn't one"):
        DumpAfter("all", outside)
    with pytest.raises(UsageError, match="doesn't exist; make"):
        DumpAfter("all", tmp_path / "a" / "b")


def test_a_dump_after_a_pass_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    model = ir.from_proto(network())
    with pytest.raises(UsageError, match="no pass 'fold' in the pipeline to dump after: it has infer-shapes, decompo"):
        PassManager(GOOD, instruments=[DumpAfter("fold", tmp_path / "dumps")])(model)
    assert ir.to_proto(model) == ir.to_proto(ir.from_proto(network()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["raises", "invalid"])
def test_a_failure_leaves_what_repeats_it(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "kept"
    text = f"infer-shapes,tests.planted:Raises{{how={how}}},unroll-tiles"
    manager = PassManager(text, instruments=[Reproducer(folder)])
    with pytest.raises(PassError, match=f"^pass Raises .*; {folder} has what repeats it$") as caught:
        manager(ir.from_proto(network()))
    assert sorted(path.name for path in folder.iterdir()) == [
        "command.txt", "model.onnx", "report.json", "traceback.txt",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    report = json.loads((folder / "report.json").read_text())
    assert (report["schema"], report["pass"]) == ("onnxtile.reproducer/1", "Raises")
    assert parse_pipeline(f"infer-shapes,{report['passes']}") == parse_pipeline(text)
    assert report["versions"].keys() >= {"onnxtile", "python", "onnx", "onnxruntime"}
    assert "Traceback" in (folder / "traceback.txt").read_text()
    assert len(onnx.load(folder / "model.onnx").graph.value_info) > 0  # as infer-shapes left it
    words = shlex.split((folder / "command.txt").read_text())
    root = ROOT
    again = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False, cwd=root)
    assert again.returncode == 2
    assert again.stderr.startswith(f"onnxtile: {str(caught.value).partition(';')[0][:60]}")


def test_refusals_leave_nothing(tmp_path: Path) -> None:
    for text, kind in {
        "tests.planted:Raises{how=refuses}": PassError,
        "bind-dims{q=1}": UsageError,
        "check-limits{max=4,4,4}": LimitsError,
    }.items():
        with pytest.raises(kind) as caught:
            PassManager(text, instruments=[Reproducer(tmp_path / "kept")])(ir.from_proto(network()))
        assert "repeats" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_reproducer_that_cannot_be_written_does_not_hide_the_failure(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    manager = PassManager("tests.planted:Raises", instruments=[Reproducer(inner / "kept")])
    inner.rmdir()
    with pytest.raises(PassError, match="KeyError: 'lost'; no reproducer: output .*kept: its folder doesn't exist"):
        manager(ir.from_proto(network()))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine").touch()
    with pytest.raises(UsageError, match="is there already and isn't empty"):
        Reproducer(tmp_path / "kept")
    Reproducer(tmp_path / "kept", numbered=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(network(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_run_with_everything(cli: Cli, path: Path) -> None:
    out, dumps = path.with_name("out.onnx"), path.with_name("dumps")
    call = ["run", path, "--passes", GOOD, "-o", out, "--verify-each", "--dump-after", "all", dumps]
    status, printed, _ = cli(*call, "--time-passes")
    assert status == 0
    assert printed.splitlines()[0].split() == ["pass", "seconds", "share", "nodes", "before", "after"]
    assert printed.splitlines()[2].split()[0] == "decompose-gemm"
    assert printed.splitlines()[2].split()[3:] == ["15", "18", "changed"]
    status, printed, _ = cli(*call, "--json")
    document = json.loads(printed)
    assert (status, document["schema"], document["output"]) == (0, "onnxtile.run/1", str(out))
    assert document["nodes"] == len(onnx.load(out).graph.node)
    assert [row["name"] for row in document["passes"]] == ["infer-shapes", "decompose-gemm", "tile-matmul"]
    assert all(row["modified"] and row["verified"] for row in document["passes"])
    assert sum(row["share"] for row in document["passes"]) == pytest.approx(1)
    assert sorted(each.name for each in path.parent.iterdir()) == ["dumps", "net.onnx", "out.onnx"]


def test_run_stops_at_the_pass_that_is_wrong(cli: Cli, path: Path) -> None:
    text = "infer-shapes,tests.planted:SwapsSub,decompose-gemm"
    call = ["run", path, "--passes", text, "-o", path.with_name("o.onnx")]
    assert cli(*call)[0] == 0
    path.with_name("o.onnx").unlink()
    for number in ("", ".1"):
        status, _, err = cli(*call, "--verify-each")
        assert status == 2
        assert err.startswith(
            "onnxtile: pass SwapsSub left a model that isn't equivalent: Sub 'less': 'h3' is outside its bound"
        )
        folder = path.with_name(f"o.reproducer{number}")
        assert err.endswith(f"; {folder} has what repeats it\n")
        words = shlex.split((folder / "command.txt").read_text())
        status, _, again = cli(*words[1:])
        assert status == 2
        assert again.startswith("onnxtile: pass SwapsSub left a model that isn't equivalent")
    assert not path.with_name("o.onnx").exists()
    chosen = path.with_name("chosen")
    assert f"; {chosen} has what" in cli(*call, "--verify-each", "--reproducer", chosen)[2]
    assert "isn't empty" in cli(*call, "--verify-each", "--reproducer", chosen)[2]


def test_run_refuses_dumps_over_its_files(cli: Cli, path: Path) -> None:
    model = path.rename(path.with_name("01-infer-shapes.onnx"))
    before = model.read_bytes()
    status, _, err = cli("run", model, "--passes", GOOD, "-o", path, "--dump-after", "all", path.parent)
    assert status == 2
    assert "which is needed; give another path" in err
    assert model.read_bytes() == before
    status, _, err = cli("run", model, "--passes", GOOD, "-o", path, "--dump-after", "fold", path.parent)
    assert (status, path.exists()) == (2, False)
    assert "no pass 'fold' in the pipeline" in err


def test_lower_dumps_and_times_its_passes(cli: Cli, path: Path) -> None:
    out, dumps = path.with_name("out.onnx"), path.with_name("dumps")
    call = ["lower", path, "--max", "4,4,4", "-o", out, "--time-passes", "--dump-after"]
    status, printed, _ = cli(*call, "tile-matmul", dumps)
    assert status == 0
    assert [line.split()[0] for line in printed.splitlines()[-3:]][::2] == ["decompose-quantized", "tile-matmul"]
    (dump,) = dumps.iterdir()
    assert dump.name.endswith("-tile-matmul.onnx")
    assert onnxtile.verify(path, dump).equivalent
    document = json.loads(cli(*call, "all", dumps, "--json")[1])
    assert document["passes"][0]["name"] == "infer-shapes"
    assert len(list(dumps.iterdir())) == len(document["passes"])
    out.unlink()
    status, _, err = cli(*call, "fold", dumps)
    assert (status, out.exists()) == (2, False)
    assert "no pass 'fold' in the pipeline to dump after: it has bind-dims, infer-shapes" in err


def test_pipelines_name_classes_by_their_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "bind-dims{b=4},tests.planted:DropsTheLastTile{max=4,*,4},tile-matmul{max=4,4,4 pad_tiles=true}"
    assert pipeline_text(parse_pipeline(text)) == text
    assert pipeline_text(parse_pipeline("onnx_ir.passes.common:IdentityEliminationPass")).endswith(
        "identity_elimination:IdentityEliminationPass"
    )
    (tmp_path / "mine_here.py").write_text("from onnxtile.passes import InferShapes as Mine\nbroken = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    assert pipeline_text(parse_pipeline("mine_here:Mine")) == "infer-shapes"
    for wrong, words in {
        "mine_here:Other": "can't be imported: AttributeError: module 'mine_here' has no attribute 'Other'",
        "mine_here:broken": "1 isn't a class of onnx_ir passes",
        "not_there:Mine": "pass 'not_there:Mine' can't be imported: ModuleNotFoundError",
        "onnx_ir.passes:Sequential": "can't be made from text: Sequential must take at least one pass; make it in",
        "tests.planted:DropsTheLastTile": "needs max: write tests.planted:DropsTheLastTile{max=...}",
    }.items():
        with pytest.raises(UsageError, match=words):
            parse_pipeline(wrong)


def test_arrays_that_passes_see_are_not_copied() -> None:
    """Instruments keep the model before a pass without its weights."""
    model = ir.from_proto(network())
    kept: list[ir.Model | None] = []

    class Keeps(VerifyEach):
        def before_pass(self, turn: Turn, model: ir.Model) -> None:
            super().before_pass(turn, model)
            kept.append(self._before and self._before.model)

    PassManager("infer-shapes", instruments=[Keeps()])(model)
    assert kept[0] is not None and kept[0].graph is not model.graph
    ours, theirs = (each.graph.initializers["w"].const_value for each in (model, kept[0]))
    assert ours is not None and ours is theirs
