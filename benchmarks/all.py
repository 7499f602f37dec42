"""Run every benchmark that needs nothing but this repository, and keep what they print in benchmarks/results.md."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = {
    "lower.py": (
        "Whole `lower`, file to file, against protobuf alone and against others",
        """`helper` makes half the nodes (an n-ary Sum for each chain of Adds) and no tile of a weight, which it leaves
to Split at run time. onnx's `make_node` takes about 2 us a node now, which is less than protobuf's `add`
takes for a node with its metadata: `helper` is faster than the floor of what onnxtile writes, so no writer
of these nodes and tensors could be 8 times as fast. At 930,000 nodes a quarter of onnxtile's time is its
last step, which reads the file again and judges every product ("unjudged" below is without it); half is
making nodes, each as one text, and a quarter slicing and writing tiles. Tried for it: nodes by
`GraphProto.node.add` (twice as slow), no garbage collection (nothing).""",
    ),
    "scale.py": (
        "Many nodes, many weights",
        """"unjudged" is `lower` without its last step, which reads the file again and judges every product in it, in
columns of numbers, about 1 us a node. Each lowering is a process of its own, from the
first import of a pass on, and waits for the disk; the floor does neither. The decoder is bound by copying
its weights; copying alone comes first in that run and pays for reading them into the page cache.""",
    ),
    "proof.py": (
        "Proving against running",
        """Large weights are variables of the proof, drawn as outer products: no number is made of them.
What's left of AlexNet's proof is evaluating nodes in Python (half), comparing 236 MB of weights
tile by tile (a quarter), and laying 28,558 nodes beside the original's. Layers that are alike
are proven once. Mapping all weights to residues took 12 s for AlexNet.
onnxruntime 1.32 loads 28,558 nodes in 6 s, which took older releases 20 to 70 s.""",
    ),
    "engine.py": (
        "Choosing tiles and orders for an engine",
        """Equal products are chosen for once. Most of the time is numpy's price for a call, some 150 a product; bursts
take twice as long or more, as bytes depend on how rows are cut then, and sizes of blocks are gone through along both
axes. The longest choice of many is one in which Python collects garbage.""",
    ),
    "sweep.py": (
        "Sweeps over many engines",
        """Products are float32, in calls of at most 64 x 64 x 64 of any multiple: 262,144 sizes of a call, where
int8 has multiples of 8. Nearly all of the time is choosing.""",
    ),
    "forms.py": (
        "Latency of the forms in onnxruntime",
        """Unrolled at batch 1 is bound by onnxruntime's price for a node: each tile is a matrix by a vector, some
microseconds of work, run one after the other where the original runs one product on all threads. Tried for
it: `--accumulate tree` and `sum` (other orders of the same nodes), parallel execution of nodes; no gain.
The batched form is what to take there.""",
    ),
    "layers.py": (
        "Convolutions, recurrent operators and attention",
        """Processor time of one thread, on a busy machine; the Convs' ratio in the middle was 1.98 to 2.05 in
three such runs, and 2.36 before tiles transposed their result. onnxruntime multiplies tiles of 64
at 55 GMACs a second, and whole matrices at 75; partial sums are written and added, a tenth more;
and 14 x 14 positions are padded to 4 tiles of 64, by 1.31. So a layer whose K is cut takes 1.5 to
1.9 times the whole product before anything is moved. Kernels of 3x3 and 7x7 write their windows
out, 9 and 49 times the data, and then in the order of tiles. Of ConvTranspose the product alone
takes 0.75 of onnxruntime's kernel, and its tiles about as long as that; interleaving what they give
moves the result three times. Tried: the weight on the left (10 to 20 % for 1x1, nothing for 3x3),
k-tiles in front (slower), A transposed tile by tile (onnxruntime joins the Transposes to one, which
is slower), DepthToSpace (slower than two Transposes).""",
    ),
}


def main() -> None:
    day = time.strftime("%Y-%m-%d")
    parts = [f"# Benchmarks\n\nWritten by `make bench` on {day}; figures of other machines will differ."]
    for script, (title, bounds) in SCRIPTS.items():
        print(f"{script} ...", flush=True)
        done = subprocess.run([sys.executable, HERE / script], check=True, capture_output=True, text=True)
        shown = done.stdout.strip() if script == "forms.py" else f"```\n{done.stdout.strip()}\n```"
        parts.append(f"## {title}\n\n`python benchmarks/{script}`\n\n{shown}\n\n{bounds}")
    (HERE / "results.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
