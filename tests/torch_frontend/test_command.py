"""Torch models on the command line: what is told of them, what is refused, and that torch stays out where it can."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.cli.app import main
from tests.support import matmul

IMPORTED = "import sys; assert not [name for name in sys.modules if name.partition('.')[0] == 'torch']"


@pytest.mark.parametrize(
    "code",
    [
        "import onnxtile",
        "import onnxtile; onnxtile.profile, onnxtile.capture, onnxtile.lower, onnxtile.PassManager",
        "import onnxtile; onnxtile.profile('{model}'); onnxtile.capture('{model}', op='MatMul')",
        "import onnxtile; onnxtile.lower('{model}', (4, 4, 4))",
        "import sys; from onnxtile.cli.app import main; sys.argv[1:] = ['profile', '{model}']\n"
        "try: main()\nexcept SystemExit as ended: assert not ended.code",
    ],
)
def test_torch_stays_out_of_what_is_onnx(code: str, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(matmul([8, 8], [8, 8], [8, 8]), model)
    done = subprocess.run(
        [sys.executable, "-c", f"{code.format(model=model)}\n{IMPORTED}"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_without_torch_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def build(): ...\n")
    without = "import sys; sys.modules['torch'] = None; from onnxtile.cli.app import main; main()"
    for options in (
        ["profile", "mine:build"],
        ["lower", "mine:build", "--max", "1,1,1"],
        ["capture", "mine:build", "--op", "x"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", without, *options, "--input", "1x2"], check=False, capture_output=True, text=True,
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(onnxtile.__file__).parents[1])},
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "onnxtile: torch isn't installed: pip install 'onnxtile[torch]'\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["profile", "MODEL", "--input", "1x2"], "--input is for models of torch, and MODEL is one of ONNX"),
        (["profile", "MODEL", "--tree"], "--tree is for models of torch"),
        (["profile", "MODEL", "--device", "cuda"], "--device is for models of torch"),
        (["capture", "MODEL", "--op", "MatMul", "--device", "cuda"], "--device is for models of torch"),
        (
            ["capture", "MODEL", "--op", "MatMul", "--input", "a.npz", "--input", "b.npz"],
            "give one file that has all inputs",
        ),
        (["lower", "MODEL", "--max", "4,4,4", "--input", "1x2"], "--input is for models of torch"),
        (["lower", "MODEL", "--max", "4,4,4", "--keep-exported", "x"], "--keep-exported is for models of torch"),
        (["profile", "net.pt", "--bind", "n=1"], "--bind is for models of ONNX, and net.pt is one of torch"),
        (["profile", "net.pt", "--summary"], "--summary is for models of ONNX"),
        (["profile", "net.pt", "--view", "first-io"], "--view is for models of ONNX"),
        (["profile", "net.pt", "--against", "net.pt"], "--against is for models of ONNX"),
        (["capture", "net.pt", "--op", "x", "--bind", "n=1"], "--bind is for models of ONNX"),
        (["capture", "net.pt", "--op", "x", "--memory", "9"], "--memory is for models of ONNX"),
        (["lower", "net.pt", "--max", "4,4,4", "--bind", "n=1"], "--bind is for models of ONNX"),
        (
            ["profile", "net.pt", "--input", "1x2"],
            "net.pt: no such file or directory; give the path of a .pt or .pt2 file",
        ),
    ],
)
def test_options_of_the_other_kind_are_refused(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(matmul([8, 8], [8, 8], [8, 8]), "MODEL")
    monkeypatch.setattr(sys, "argv", ["onnxtile", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert captured.err.startswith("onnxtile: ") and captured.err.count("\n") == 1
    assert words in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["MODEL"]


NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.body = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))

    def forward(self, ids, scale=None):
        y = self.body(self.table(ids))
        return y if scale is None else y * scale
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")
    (tmp_path / "code_of_mine.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    sys.modules.pop("code_of_mine", None)
    return tmp_path


@pytest.mark.filterwarnings("ignore")
def test_profile_capture_and_lower_of_ones_own_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.torch_support import document, run

    def json_of(*arguments: object) -> dict[str, object]:
        return document(run(monkeypatch, capsys, *arguments, "--json"))

    inputs = ("--input", "3x5:int64", "--input", "scale=1")
    found = json_of("profile", "code_of_mine:Net", *inputs, "--by", "module", "--depth", 1)
    assert found["totals"]["macs"] == 15 * (4 * 6 + 6 * 2)  # type: ignore[index]  # it's a dict
    assert found["totals"]["params"] == 40 + 24 + 6 + 12 + 2  # type: ignore[index]  # the same
    captured = json_of("capture", "code_of_mine:Net", *inputs, "--op", "Linear", "-o", "values.npz")
    assert [row["value"] for row in captured["values"]] == ["body.0", "body.2"]  # type: ignore[attr-defined]  # a list
    with np.load("values.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays} == {"body.0": (3, 5, 6), "body.2": (3, 5, 2)}
    lowered = json_of("lower", "code_of_mine:Net", *inputs, "--max", "4,4,4", "--verify")
    assert lowered["output"] == "code_of_mine.tiled.onnx"
    assert [value.name for value in onnx.load("code_of_mine.tiled.onnx").graph.input] == ["ids", "scale"]


@pytest.mark.filterwarnings("ignore")
def test_arrays_of_a_file_are_inputs_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.torch_support import document, run

    np.savez("inputs.npz", ids=np.array([[9, 0]]), scale=np.array([0.0], np.float32))
    command = ("capture", "code_of_mine:Net", "--input", "inputs.npz", "--op", "Embedding", "--op", "Net", "--json")
    found = document(run(monkeypatch, capsys, *command))
    assert {row["value"]: row["max"] for row in found["values"]}["table"] > 0
    assert found["inputs"]["source"] == "given"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["code_of_mine:Net"], "doesn't say what it takes: give inputs (--input 1x3x224x224)"),
        (["code_of_mine:Net", "--input", "1x2"], "the model fails on these inputs: RuntimeError: Expected tensor"),
        (["code_of_mine:Net", "--input", "1x2:int64", "--input", "x=1"], "the model fails on these inputs: TypeError"),
        (["code_of_mine:nonesuch", "--input", "1"], "code_of_mine:nonesuch fails: AttributeError"),
        (["no_such_code:Net", "--input", "1"], "no_such_code:Net fails: ModuleNotFoundError"),
        (["code_of_mine:Net", "--input", "1x2:int64", "--device", "abacus"], "can't run on device 'abacus'"),
    ],
)
def test_what_fails_is_told_in_one_line(
    folder: Path, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.torch_support import run

    status, out, err = run(monkeypatch, capsys, "profile", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_file_that_brings_torch_down_is_one_line(tmp_path: Path) -> None:
    """torch reads an expression by recursion in C++; so many signs are more than its stack takes."""
    torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")
    saved = tmp_path / "saved.pt"
    torch.jit.save(torch.jit.script(torch.nn.ReLU().eval()), str(saved))
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(tmp_path / "net.pt", "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if "/code/" in info.filename and info.filename.endswith(
                ".py"
            ):  # its name is mangled where others are scripted
                data = data.replace(b"return ", b"return " + b"-" * 200_000)
            new.writestr(info.filename, data)
    done = subprocess.run(
        [sys.executable, "-m", "onnxtile", "profile", "net.pt", "--input", "1x2"], check=False, capture_output=True,
        text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(onnxtile.__file__).parents[1])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    words = r"onnxtile: net\.pt: torch crashed \(SIG[A-Z]+\); the file is damaged or hits a fault there\n"
    assert re.fullmatch(words, done.stderr)
