"""Measure how much of a network a bounded engine computes, before and after `lower`: the table in README.md.

python benchmarks/engine_share.py       prints it; tests/test_docs.py holds README.md to it
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import onnx_ir as ir

import onnxtile
from onnxtile.ir.io.progress import silent
from onnxtile.ir.symbolic.rounded import count_text, percent_text
from onnxtile.lowering.lower import lower_ir
from onnxtile.lowering.options import LoweringOptions
from onnxtile.lowering.report import Report
from onnxtile.tiling.forms.table import FORMS

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from networks import light, tagger, unet

LIMITS = (64, 64, 64)
NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "AlexNet": lambda: light("bvlc_alexnet"),
    "ResNet-50": lambda: light("resnet50"),
    "U-Net, 256 x 256": lambda: unet(light=True),
    "LSTM tagger, 32 words": lambda: tagger(light=True),
}
"""Networks whose weights take no room: only shapes matter here."""
HEADINGS = ("network", "MACs", "on the engine before", "after", "engine calls", "utilization, batched")


def row(name: str) -> tuple[str, ...]:
    """Return a network's cells of the table, by the reports of `check` and `lower`."""
    model = NETWORKS[name]()
    before, after = onnxtile.check(model, LIMITS), lowered(model)
    assert isinstance(after.engine.calls, int)
    return (
        name, count_text(before.macs_of_all), share(before), share(after), f"{after.engine.calls:,}",
        percent_text(after.engine.utilization),
    )  # fmt: skip


def lowered(model: onnx.ModelProto, form: str = "batched") -> Report:
    """Return the report of `lower`; no tile is written, and no weight made."""
    compact = lower_ir(ir.from_proto(model), LoweringOptions.of(LIMITS, form=form), {}, silent)
    return compact.report(0, FORMS[form])


def share(report: Report) -> str:
    whole = report.macs_of_all
    assert isinstance(whole, int) and isinstance(report.engine.macs, int)
    return percent_text(report.engine.macs / whole)


def table() -> Iterator[str]:
    """Yield the lines of the table in Markdown."""
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|---|{'---:|' * (len(HEADINGS) - 1)}"
    for name in NETWORKS:
        yield f"| {' | '.join(row(name))} |"


if __name__ == "__main__":
    print(*table(), sep="\n")
