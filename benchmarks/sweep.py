"""Sweeps over many engines: in one process, and on Dask, where time has to grow with the engines and nothing else.

Times in one process are of the processor; on Dask they are of the clock.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import onnx
from profiling import resnet50

from onnxtile.engine.load import load
from onnxtile.exploration.products import products_of
from onnxtile.exploration.sweep import sweep

ENGINE = "systolic-32"
ARRAYS = "product.array=8x8,16x16,32x32,16x32,32x16"


def seconds(*vary: str, model: onnx.ModelProto, **options: object) -> float:
    clock = time.perf_counter if "on" in options else time.process_time
    started = clock()
    sweep(model, ENGINE, vary, **options)  # type: ignore[arg-type]
    return clock() - started


def fields(fills: int, first: int = 0) -> tuple[str, ...]:
    """Variations that are 20 engines a fill."""
    return (f"product.fill={first}:{first + fills - 1}:+1", "local.size=64KiB:512KiB:x2", ARRAYS)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50.onnx"
        resnet50(path)
        model = onnx.load(path)
    products = products_of(model, "ResNet-50", load(ENGINE))
    print(f"ResNet-50: {sum(count for _, count in products.counts)} products, {len(products.counts)} distinct ones\n")
    print("in one process:   engines  seconds  ms an engine")
    for fills in (5, 10, 50):
        taken = seconds(*fields(fills, 10 * fills), model=model)
        print(f"                  {20 * fills:7,}  {taken:7.1f}  {1000 * taken / 20 / fills:12.1f}")
    print("wanted: 1,000 engines in 30 s\n")
    start = seconds("product.fill=0,1", model=model, on="dask", workers=2)
    few, many = (seconds(*fields(fills, 2000), model=model, on="dask", workers=2) - start for fills in (25, 50))
    print(
        f"on Dask, 2 workers: {start:.1f} s to start; beyond that 500 engines {few:.1f} s, 1,000 engines {many:.1f} s"
    )
    print(f"{many / few / 2:.2f} of linear; wanted: 0.8 to 1.2")


if __name__ == "__main__":
    main()
