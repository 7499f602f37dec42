"""The main job on a real network: AlexNet, cut for an engine of 256 x 256 x 256, and what it takes on another one.

python examples/demo.py [FOLDER]        FOLDER: where the models go (default: demo), which README.md goes on with
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
from networks import bvlc_alexnet, little

MODELS = {"alexnet.onnx": bvlc_alexnet, "net.onnx": little}


def prepare(folder: Path) -> None:
    """Write the models that aren't there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in MODELS.items():
        if not (folder / name).exists():
            onnx.save(network(), folder / name)


def main(folder: Path) -> None:
    prepare(folder)
    model, lowered = folder / "alexnet.onnx", folder / "alexnet.tiled.onnx"
    limits = ["--max", "256,256,256"]
    _onnxtile("check", model, *limits, status=1)
    _onnxtile("lower", model, *limits, "--verify", status=0)
    _onnxtile("check", lowered, *limits, "--json", status=0, quiet=True)
    print(f"\n{lowered} fits the engine: {lowered.stat().st_size / 1e6:.0f} MB of plain ONNX.")
    _onnxtile("profile", model, "--engine", "systolic-32", status=0)


def _onnxtile(command: str, *arguments: object, status: int, quiet: bool = False) -> None:
    words = ["onnxtile", command, *map(str, arguments)]
    print(f"\n$ {' '.join(words)}", flush=True)
    stdout = subprocess.DEVNULL if quiet else None
    done = subprocess.run([sys.executable, "-m", *words], check=False, stdout=stdout)
    print(f"exit status {done.returncode}", flush=True)
    if done.returncode != status:
        sys.exit(f"wanted exit status {status}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
