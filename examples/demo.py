"""The main job on a real network: AlexNet's three Gemms, cut for an engine that multiplies at most 64 x 64 x 64.

python examples/demo.py [FOLDER]        FOLDER: where the models go (default: build/demo)
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
from networks import bvlc_alexnet


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "alexnet.onnx"
    if not model.exists():
        onnx.save(bvlc_alexnet(), model)
    lowered = model.with_name("alexnet.tiled.onnx")
    limits = ["--max", "64,64,64"]
    _onnxtile("check", model, *limits, status=1)
    _onnxtile("lower", model, *limits, "--verify", status=0)
    _onnxtile("check", lowered, *limits, "--json", status=0, quiet=True)
    print(f"\n{lowered} fits the engine: {lowered.stat().st_size / 1e6:.0f} MB of plain ONNX.")


def _onnxtile(command: str, *arguments: object, status: int, quiet: bool = False) -> None:
    words = ["onnxtile", command, *map(str, arguments)]
    print(f"\n$ {' '.join(words)}", flush=True)
    stdout = subprocess.DEVNULL if quiet else None
    done = subprocess.run([sys.executable, "-m", *words], check=False, stdout=stdout)
    print(f"exit status {done.returncode}", flush=True)
    if done.returncode != status:
        sys.exit(f"wanted exit status {status}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo"))
