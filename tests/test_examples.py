"""The example of a plugin works as it's installed: found by its entry points, and its own tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from onnxtile.errors import PluginWarning
from onnxtile.ir.io.toml_files import table_of_text
from onnxtile.operators.registry import OPERATORS
from onnxtile.operators.table import declare_plugged
from tests.commands import Cli
from tests.support import ROOT

PLUGIN = ROOT / "examples" / "plugin"


def install(plugin: Path, folder: Path) -> None:
    """Put a plugin's package into a folder with the metadata that pip would write, without building it."""
    text = (plugin / "pyproject.toml").read_text()
    project: Any = table_of_text(text, "pyproject.toml", "project file", "mend it")
    points = project["project"]["entry-points"]
    name, version = project["project"]["name"], project["project"]["version"]
    for package in plugin.glob("*/__init__.py"):
        shutil.copytree(package.parent, folder / package.parent.name, ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / f"{str(name).replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = (
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in of.items()) for group, of in points.items()
    )
    (info / "entry_points.txt").write_text("\n".join(groups))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the packages in a folder are installed."""
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=folder)


def test_the_plugin_passes_its_tests_as_it_is_installed(tmp_path: Path) -> None:
    install(PLUGIN, tmp_path)
    shutil.copytree(PLUGIN / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    unneeded = [word for name in ("cacheprovider", "xdist", "hypothesispytest") for word in ("-p", f"no:{name}")]
    done = run(tmp_path, "-m", "pytest", "-q", *unneeded, "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_a_broken_plugin_is_named_and_skipped(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its doors are broken: none keeps the program from what it's asked for."""
    install(PLUGIN, tmp_path)
    for module in ("__init__.py", "operators.py", "passes.py"):
        (tmp_path / "onnxtile_edge" / module).write_text("import nonesuch\n")
    monkeypatch.syspath_prepend(tmp_path)
    why = "of onnxtile-edge 0.1.0) is broken: ModuleNotFoundError: No module named 'nonesuch'; mend or uninstall it"
    for command, kept, doors in (
        (["passes"], "tile-matmul", ["'decompose-dense-relu' (onnxtile.passes", "'reciprocals' (onnxtile.passes"]),
        (["engine", "list"], "systolic-32", ["'edge-16' (onnxtile.engines"]),
    ):
        status, out, err = cli(*command)
        assert (status, kept in out, "edge" in out) == (0, True, False)
        assert err.splitlines() == [f"onnxtile: plugin {door} {why}" for door in doors]
    before = dict(OPERATORS)
    with pytest.warns(PluginWarning, match=r"^plugin 'edge' \(onnxtile.operators of onnxtile-edge 0.1.0\) is broken"):
        assert declare_plugged() == {}
    assert before == OPERATORS
    status, _, err = cli("check", tmp_path / "m.onnx", "--engine", "edge-16")
    assert (status, err) == (2, f"onnxtile: plugin 'edge-16' (onnxtile.engines {why}\n")
