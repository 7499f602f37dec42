"""Time proofs: AlexNet at 64,64,64, unrolled, against running both models; BERT-base; a decoder of 7 billion weights.

    python benchmarks/proof.py [FOLDER] [--rounds N] [--quick]

A proof is timed from when both files have been read and checked on; reading is timed apart. It compares all bytes of
the weights. The decoder has Llama-2-7B's shapes (decoder.py); each form is a process of its own, file to verdict.
FOLDER (a temporary one by default) takes 15 GB; with --quick the decoder and onnxruntime are left out.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import decoder
import networks
import numpy as np
import onnxruntime
from lower import machine

import onnxtile
from onnxtile.ir.io.load import parse
from onnxtile.verification.verify import verify

LIMITS = (64, 64, 64)


def timed(source: Path, target: Path, rounds: int) -> tuple[float, float]:
    """Seconds of reading both files, and of proving them alike: the medians of so many rounds."""
    times = [_times(source, target) for _ in range(rounds)]
    return statistics.median(read for read, _ in times), statistics.median(proof for _, proof in times)


def _times(source: Path, target: Path) -> tuple[float, float]:
    began: list[float] = []
    verdict = verify(source, target, progress=lambda words, *_: began.append(time.perf_counter()))
    assert verdict.proven
    return began[1] - began[0], time.perf_counter() - began[1]


def alexnet(folder: Path, rounds: int, quick: bool) -> None:
    source, target = folder / "alexnet.onnx", folder / "alexnet.tiled.onnx"
    networks.alexnet(source)
    onnxtile.lower(source, LIMITS, output=target)
    read, proof = timed(source, target, rounds)
    tell("AlexNet unrolled, 14,336 products", proof, f"{read:.2f} s before to read both files")
    if not quick:
        start = time.perf_counter()
        run(source, target)
        whole = time.perf_counter() - start
        words = f"{whole / (read + proof):.1f}x reading and proof"
        tell("both AlexNets in onnxruntime, sessions and one case", whole, words)


def run(*models: Path) -> None:
    """Run models once, their sessions included."""
    info = parse(models[0]).graph.input[0]
    fed = {info.name: np.zeros([axis.dim_value for axis in info.type.tensor_type.shape.dim], np.float32)}
    for model in models:
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, fed)


def bert(folder: Path, rounds: int) -> None:
    source, target = folder / "bert.onnx", folder / "bert.tiled.onnx"
    networks.bert(source)
    onnxtile.lower(source, LIMITS, form="batched", output=target)
    read, proof = timed(source, target, rounds)
    tell("BERT-base of 12 layers, form batched", proof, f"{read:.2f} s before to read both files")


def tell(what: str, seconds: float, words: str) -> None:
    print(f"{what:52s}{seconds:8.2f} s   {words}", flush=True)


def large(folder: Path) -> None:
    source = decoder.write(folder)
    for form in ("function", "batched"):
        target = folder / f"{form}.onnx"
        onnxtile.lower(source, LIMITS, form=form, output=target)
        code = f"""
import resource, time
start = time.perf_counter()
import onnxtile
verdict = onnxtile.verify({str(source)!r}, {str(target)!r})
assert verdict.proven
alone = sum(region.same_as is None for region in verdict.regions)
peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e6
print(f"{{len(verdict.regions)}} products, {{alone}} run, {{time.perf_counter() - start:.1f}} s, peak {{peak:.1f}} GB")
"""
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        print(f"decoder, form {form}: {done.stdout.strip()}")
        for file in folder.glob(f"{form}.onnx*"):
            file.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="without the decoder and onnxruntime")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        alexnet(folder, options.rounds, options.quick)
        bert(folder, options.rounds)
        if not options.quick:
            large(folder)


if __name__ == "__main__":
    main()
