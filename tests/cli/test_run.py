"""`onnxtile run`: passes, what watches them, and what is written."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import onnx
import pytest

import onnxtile
from tests.commands import Cli
from tests.planted import GOOD
from tests.support import operators


def test_run_names_passes_that_deny_their_change(cli: Cli, planted: Path) -> None:
    call = ["run", planted, "--verify-each", "-o", planted.with_name("o.onnx"), "--passes"]
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


def test_run_with_everything(cli: Cli, planted: Path) -> None:
    out, dumps = planted.with_name("out.onnx"), planted.with_name("dumps")
    call = ["run", planted, "--passes", GOOD, "-o", out, "--verify-each", "--dump-after", "all", dumps]
    status, printed, _ = cli(*call, "--time-passes")
    assert status == 0
    assert printed.splitlines()[0].split() == ["pass", "seconds", "share", "nodes", "before", "after"]
    assert printed.splitlines()[2].split()[0] == "decompose-gemm"
    assert printed.splitlines()[2].split()[3:] == ["15", "18"]
    status, printed, _ = cli(*call, "--json")
    document = json.loads(printed)
    assert (status, document["schema"], document["output"]) == (0, "onnxtile.run/1", str(out))
    assert document["nodes"] == len(onnx.load(out).graph.node)
    assert [row["name"] for row in document["passes"]] == ["infer-shapes", "decompose-gemm", "tile-matmul"]
    assert all(row["modified"] and row["verified"] for row in document["passes"])
    assert sum(row["share"] for row in document["passes"]) == pytest.approx(1)
    assert sorted(path.name for path in planted.parent.iterdir()) == ["dumps", "net.onnx", "out.onnx"]


def test_run_stops_at_the_pass_that_is_wrong(cli: Cli, planted: Path) -> None:
    text = "infer-shapes,tests.planted:SwapsSub,decompose-gemm"
    call = ["run", planted, "--passes", text, "-o", planted.with_name("o.onnx")]
    assert cli(*call)[0] == 0
    planted.with_name("o.onnx").unlink()
    for number in ("", ".1"):
        status, _, err = cli(*call, "--verify-each")
        assert status == 2
        assert err.startswith(
            "onnxtile: pass SwapsSub left a model that isn't equivalent: Sub 'less': 'h3' isn't the same function"
        )
        folder = planted.with_name(f"o.reproducer{number}")
        assert err.endswith(f"; {folder} has what repeats it\n")
        words = shlex.split((folder / "command.txt").read_text())
        status, _, again = cli(*words[1:])
        assert status == 2
        assert again.startswith("onnxtile: pass SwapsSub left a model that isn't equivalent")
    assert not planted.with_name("o.onnx").exists()
    chosen = planted.with_name("chosen")
    assert f"; {chosen} has what" in cli(*call, "--verify-each", "--reproducer", chosen)[2]
    assert "isn't empty" in cli(*call, "--verify-each", "--reproducer", chosen)[2]


def test_run_refuses_dumps_over_its_files(cli: Cli, planted: Path) -> None:
    model = planted.rename(planted.with_name("01-infer-shapes.onnx"))
    before = model.read_bytes()
    status, _, err = cli("run", model, "--passes", GOOD, "-o", planted, "--dump-after", "all", planted.parent)
    assert status == 2
    assert "which is needed; give another path" in err
    assert model.read_bytes() == before
    status, _, err = cli("run", model, "--passes", GOOD, "-o", planted, "--dump-after", "fold", planted.parent)
    assert (status, planted.exists()) == (2, False)
    assert "no pass 'fold' in the pipeline" in err


def test_run_takes_a_pipeline(cli: Cli, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    pipeline = "infer-shapes,tile-matmul{max=4,4,4 accumulate=tree},check-limits{max=4,4,4}"
    status, out, _ = cli("run", model, "--passes", pipeline, "-o", output)
    assert status == 0
    assert [line.split()[2] for line in out.splitlines()[:3]] == ["infer-shapes", "tile-matmul", "check-limits"]
    assert operators(onnx.load(output)) == operators(onnxtile.lower(model, (4, 4, 4), accumulate="tree"))
    status, _, err = cli("run", model, "--passes", "infer-shapes,check-limits{max=4,4,4}", "-o", tmp_path / "no.onnx")
    assert status == 2
    assert err == "onnxtile: pass check-limits: MatMul 'product' is 8x8x8, over the limits 4,4,4\n"
    assert not (tmp_path / "no.onnx").exists()


def test_passes_have_the_limits_of_the_engine_where_none_are_given(cli: Cli, planted: Path) -> None:
    out = planted.with_name("out.onnx")
    call = ["run", planted, "-o", out, "--passes"]
    passes = "infer-shapes,decompose-gemm,tile-matmul,check-limits"
    assert cli(*call, passes, "--engine", "systolic-32")[0] == 0
    assert "MatMul" in operators(onnx.load(out))
    assert cli(*call, "infer-shapes,check-limits{max=engine:systolic-32}")[0] == 0
    assert cli(*call, "infer-shapes,check-limits{max=1,1,1}", "--engine", "systolic-32")[0] == 2
    assert "pass tile-matmul needs max" in cli(*call, passes)[2]
    assert "no limits are given" in cli(*call, passes, "--minimize", "bytes")[2]


def test_the_place_of_a_mistake_in_a_pipeline_is_shown(cli: Cli, planted: Path) -> None:
    status, out, err = cli("run", planted, "--passes", "infer-shapes,anotate", "-o", planted.with_name("o.onnx"))
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "onnxtile: pipeline, column 14: pass 'anotate' is unknown: `onnxtile passes` lists all, module:Class is one of "
        "yours; did you mean 'annotate'?",
        "  infer-shapes,anotate",
        "               ^^^^^^^",
    ]


def test_run_takes_a_pipeline_of_a_file(cli: Cli, planted: Path) -> None:
    file = planted.with_name("p.toml")
    file.write_text('passes = ["infer-shapes", { pass = "repeat", passes = ["IdentityEliminationPass"] }]')
    status, out, err = cli("run", planted, "--passes", f"@{file}", "-o", planted.with_name("o.onnx"), "--verify-each")
    assert (status, err) == (0, "")
    assert [line.split()[2] for line in out.splitlines()[:2]] == ["infer-shapes", "IdentityEliminationPass"]
