"""Build the wheel, install it in a fresh environment with nothing else, and run it there: `make test-wheel`.

An index would take it (twine), and pipx runs it without an install.

python tests/wheel.py FOLDER        FOLDER: where the wheel and the environment go; emptied first
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODEL = """<ir_version: 8, opset_import: ["" : 17]>
    net (float[4,10] x, float[10,8] w) => (float[4,8] y) { [fc] h = MatMul (x, w)  y = Relu (h) }"""
PREPARE = f"""
import importlib.util, sys
import onnx
import onnxtile

assert sys.prefix in onnxtile.__file__, onnxtile.__file__
for name in ("torch", "onnx_graphsurgeon", "matplotlib", "onnxscript", "pytest"):
    assert importlib.util.find_spec(name) is None, name
model = onnx.parser.parse_model({MODEL!r})
onnx.save(model, "net.onnx")
tiled = onnxtile.lower(model, max=(4, 4, 4))
assert onnxtile.check(tiled, max=(4, 4, 4)).ok and onnxtile.verify(model, tiled).proven
"""
CALLS = (
    ("check net.onnx --max 4,4,4", 1),
    ("lower net.onnx --max 4,4,4 --form batched --verify", 0),
    ("lower net.onnx --engine systolic-16 -o engine.onnx", 0),
    ("verify net.onnx net.tiled.onnx", 0),
    ("profile net.onnx --engine systolic-16", 0),
    ("capture net.tiled.onnx --name fc", 0),
    ("annotate net.onnx -o annotated.onnx", 0),
    ("run net.onnx --passes infer-shapes -o run.onnx", 0),
    ("passes", 0),
    ("engine list", 0),
    ("engine new mine", 0),
    ("profile network.pt --input 1x3", 2),
)
"""Commands in the fresh environment, each with its exit status."""


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run(sys.executable, *pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("onnxtile-*.whl")
    version = look_at(wheel)
    _run(sys.executable, "-m", "venv", folder / "environment")
    python = folder / "environment" / "bin" / "python"
    _run(python, *pip, "install", "--only-binary", ":all:", wheel)
    _run(python, "-c", PREPARE, cwd=folder)
    program = python.with_name("onnxtile")
    printed = subprocess.run([program, "--version"], check=True, cwd=folder, capture_output=True, text=True).stdout
    assert printed.strip() == version, printed
    for call, status in CALLS:
        done = subprocess.run([program, *call.split()], check=False, cwd=folder, capture_output=True, text=True)
        assert done.returncode == status, f"{call}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
    as_others_do(wheel, folder)
    print(f"{wheel.name} installs and runs in Python {sys.version.split()[0]}: {len(CALLS)} commands")


def as_others_do(wheel: Path, folder: Path) -> None:
    """Check the description as an index does, and run the wheel by pipx."""
    _run(sys.executable, "-m", "venv", folder / "tools")
    python = folder / "tools" / "bin" / "python"
    _run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "pipx", "twine")
    _run(python, "-m", "twine", "check", "--strict", wheel)
    homes = {name: str(folder / name.lower()) for name in ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR")}
    _run(python, "-m", "pipx", "run", "--spec", wheel, "onnxtile", "engine", "list", env={**os.environ, **homes})


def look_at(wheel: Path) -> str:
    """Check what a wheel says of itself; return its version."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = message_from_string(archive.read(metadata).decode())
    assert {name.split("/")[0].split("-")[0] for name in names} == {"onnxtile"}, names
    assert {"onnxtile/py.typed", "onnxtile/engine/template.toml"} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert len(said.get_all("Project-URL") or ()) >= 4
    assert "](docs/" not in said.get_payload(), "a link of the description leads nowhere on an index"
    return str(said["Version"])


def _run(*arguments: object, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    subprocess.run([str(argument) for argument in arguments], check=True, cwd=cwd, env=env)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
