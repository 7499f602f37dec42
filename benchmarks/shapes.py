"""Say which sizes of models are found: docs/shapes.md's table.

    python benchmarks/shapes.py FOLDER

FOLDER holds `.onnx` files, best exported with free dimensions. Sizes are those along all axes of what the nodes give,
bodies included; the rest has none because its rank isn't known.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx_ir as ir

from onnxtile.ir.graphs import all_graphs
from onnxtile.ir.io.load import load
from onnxtile.operators.contractions import contractions
from onnxtile.passes.infer_shapes import InferShapes


def row(path: Path) -> str:
    """A line of the table."""
    model = load(path)
    InferShapes()(model)
    values = [value for graph in all_graphs(model) for node in graph for value in node.outputs if value.name]
    dims = [dim for value in values for dim in value.shape or ()]
    found = [dim for dim in dims if isinstance(dim, int) or dim.value is not None]
    formulas = [dim for dim in found if isinstance(dim, ir.SymbolicDim)]
    ranks = sum(value.shape is not None for value in values)
    sizes = [each.size for each in contractions(model)]
    known = sum(None not in (size.m, size.k, size.n, size.batch) for size in sizes)
    counts = (f"{ranks} of {len(values)}", f"{len(found)} of {len(dims)}", len(formulas), f"{known} of {len(sizes)}")
    return f"| {path.stem} | {' | '.join(map(str, counts))} |"


def main() -> None:
    print("| Model | ranks found | sizes found | of them formulas | products sized |\n|---|---|---|---|---|")
    for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
        print(row(path), flush=True)


if __name__ == "__main__":
    main()
