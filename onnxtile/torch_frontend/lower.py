"""`lower` for models of torch: export, lower, and hold the result against torch itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from onnxtile.errors import PassError
from onnxtile.ir.io.files import check_output
from onnxtile.ir.io.load import load
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.lowering.lower import lowering_to
from onnxtile.lowering.model_file import save
from onnxtile.lowering.options import LoweringOptions
from onnxtile.lowering.report import Report
from onnxtile.tiling.forms.table import form_of
from onnxtile.torch_frontend.compare import compare_with_torch
from onnxtile.torch_frontend.export import export
from onnxtile.torch_frontend.network import Network
from onnxtile.verification.verdict import Verdict
from onnxtile.verification.verify import verify as prove


def lower_torch(
    network: Network,
    options: LoweringOptions,
    *,
    verify: bool = True,
    output: str | os.PathLike[str] | None = None,
    keep_exported: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[onnx.ModelProto | None, Report]:
    """Export the network as it runs with its inputs, lower that, and show that the result is what torch computes.

    Return the model, None where it's written to `output`, and the Report. `keep_exported`: where the exported model
    goes, too. With `verify` the lowered model is proven equivalent to the exported one, and runs against torch. Raises
    PassError where it isn't equivalent, UnsupportedError where torch can't export the model, having written nothing.
    """
    say = progress or silent
    with exported(network, keep_exported, say) as source:
        target = source.with_name("lowered.onnx") if output is None else Path(output)
        with lowering_to(source, target, options, None, say) as (temporary, report):
            for verdict in _verdicts(network, source, temporary, say) if verify else ():
                if not verdict.equivalent:
                    raise PassError(f"the lowered model isn't equivalent: {verdict.why}; it wasn't kept")
        return onnx.load(target) if output is None else None, report


@contextmanager
def exported(network: Network, keep: str | os.PathLike[str] | None = None, say: Progress = silent) -> Iterator[Path]:
    """Yield the network as an ONNX file, gone afterwards; `keep`: a copy goes there unless something is raised."""
    if keep is not None:
        check_output(Path(keep))
    with tempfile.TemporaryDirectory(prefix="onnxtile.") as folder:
        path = Path(folder) / "exported.onnx"
        say("export to ONNX")
        export(network, path)
        yield path
        if keep is not None:
            save(load(path), Path(keep), form_of("function"), "split")


def _verdicts(network: Network, source: Path, lowered: Path, say: Progress) -> Iterator[Verdict]:
    """Yield the verdict against the exported model, by proof; then that against torch, by running both."""
    yield prove(source, lowered, progress=say)
    yield compare_with_torch(network, lowered, progress=say)
