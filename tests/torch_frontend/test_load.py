"""Models of torch from files that torch wrote, and from the user's own code."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

from onnxtile.errors import UsageError  # noqa: E402  # torch may be missing
from onnxtile.torch_frontend.load import load  # noqa: E402
from tests import torch_scripts  # noqa: E402
from tests.torch_files import Evil, archive, refused  # noqa: E402


def test_a_torchscript_archive_loads(script: Path) -> None:
    loaded = load(str(script))
    x = torch.randn(2, 4)
    assert isinstance(loaded, torch.jit.ScriptModule)
    assert torch.equal(loaded(x)[0], torch.jit.load(str(script))(x)[0])


def test_a_traced_archive_loads(tmp_path: Path) -> None:
    path = tmp_path / "traced.pt"
    torch.jit.save(torch.jit.trace(torch_scripts.Nested().eval(), torch.randn(1, 3, 8, 8)), str(path))
    assert isinstance(load(str(path)), torch.jit.ScriptModule)


def test_an_exported_program_loads(exported: Path, program: Any) -> None:
    loaded = load(str(exported))
    x, k = torch.randn(3, 4), {"z": torch.ones(2)}
    assert isinstance(loaded, torch.export.ExportedProgram)
    assert torch.equal(loaded.module()(x, k=k)["a"], program.module()(x, k=k)["a"])


def test_an_exported_program_of_old_torch_loads(program: Any, tmp_path: Path) -> None:
    from torch._export.serde.schema import SCHEMA_VERSION
    from torch._export.serde.serialize import serialize

    made = serialize(program)
    content = {
        "version": ".".join(map(str, SCHEMA_VERSION)).encode(),
        "serialized_exported_program.json": made.exported_program,
        "serialized_state_dict.pt": made.state_dict,
        "serialized_constants.pt": made.constants,
        "serialized_example_inputs.pt": made.example_inputs,
    }
    path = archive(tmp_path / "old.pt2", content)
    assert isinstance(load(path), torch.export.ExportedProgram)
    trap, buffer = tmp_path / "trap", io.BytesIO()
    torch.save({"x": Evil(trap)}, buffer)
    bad = archive(tmp_path / "bad.pt2", {**content, "serialized_constants.pt": buffer.getvalue()})
    refused(bad, "would call '(builtins|io|__builtin__|_io).open'", trap)


def test_callables_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_nets.py").write_text(
        "import torch\n"
        "def net():\n    return torch.nn.Linear(2, 3)\n"
        "made = net()\nnumber = lambda: 7\ndef fails():\n    raise ValueError('not\\ntoday')\n"
    )
    assert isinstance(load("own_nets:net"), torch.nn.Linear)
    assert isinstance(load("own_nets:made"), torch.nn.Linear)
    assert isinstance(load("torch.nn:Identity"), torch.nn.Identity)
    for spec, words in (
        ("own_nets:number", "own_nets:number gives a int; it should give a torch.nn.Module"),
        ("own_nets:fails", "own_nets:fails fails: ValueError: not today"),
        ("own_nets:nonesuch", "own_nets:nonesuch fails: AttributeError"),
        ("no_such_nets:net", "no_such_nets:net fails: ModuleNotFoundError"),
    ):
        with pytest.raises(UsageError, match=words):
            load(spec)


def test_without_torch_one_line_says_what_to_install(script: Path) -> None:
    code = (
        "import sys\nsys.modules['torch'] = None\n"
        "from onnxtile.errors import UsageError\nfrom onnxtile.torch_frontend.load import load\n"
        "for given in sys.argv[1:]:\n"
        "    try:\n        load(given)\n    except UsageError as error:\n        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(script), "own:net"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "torch isn't installed: pip install 'onnxtile[torch]'\n" * 2
