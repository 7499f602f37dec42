"""Run what README.md shows of one model, AlexNet: its commands, one after the other.

python examples/demo.py [FOLDER]        FOLDER: where the models go (default: demo), for you to go on with
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
from networks import bvlc_alexnet, little

MODELS = {"alexnet.onnx": bvlc_alexnet, "net.onnx": little}
README = Path(__file__).parents[1] / "README.md"
NOT_FITTING = {"check"}
"""Commands whose answer is no, and so their exit status 1."""


def prepare(folder: Path) -> None:
    """Write the models that aren't there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in MODELS.items():
        if not (folder / name).exists():
            onnx.save(network(), folder / name)


def commands() -> Iterator[str]:
    """Yield the commands that README.md shows."""
    for block in re.findall(r"```console\n(.*?)```", README.read_text(), re.DOTALL):
        yield from re.findall(r"^\$ (.*)", block, re.MULTILINE)


def main(folder: Path) -> None:
    prepare(folder)
    for command in commands():
        print(f"\n$ {command}", flush=True)
        words = shlex.split(command)
        done = subprocess.run([sys.executable, "-m", *words], check=False, cwd=folder)
        wanted = int(words[1] in NOT_FITTING)
        if done.returncode != wanted:
            sys.exit(f"exit status {done.returncode}, not {wanted}")
    lowered = folder / "alexnet.tiled.onnx"
    print(f"\n{lowered} fits the engine: {lowered.stat().st_size / 1e6:.0f} MB of plain ONNX.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
