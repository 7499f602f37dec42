"""`capture`: what chosen nodes, or modules, give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast, overload

from onnxtile.api.models import files_of, refuse
from onnxtile.errors import suggesting_options
from onnxtile.torch_frontend.detection import is_torch

if TYPE_CHECKING:
    import numpy.typing as npt

    from onnxtile.api.models import AnyPath, Inputs, TorchModel
    from onnxtile.debugging.capture.report import Captured, CaptureReport
    from onnxtile.debugging.capture.selection import Texts
    from onnxtile.ir.io.interop import AnyModel
    from onnxtile.ir.io.progress import Progress


@overload
def capture(
    model: AnyModel | TorchModel, *, op: Texts = None, name: Texts = None,
    inputs: Inputs | Mapping[str, npt.ArrayLike] | None = None, seed: int = 0, bind: Mapping[str, int] | None = None,
    output: None = None, memory: int | None = None, device: str | None = None, follow_links: bool = False,
    progress: Progress | None = None,
) -> Captured: ...  # fmt: skip
@overload
def capture(
    model: AnyModel | TorchModel, *, op: Texts = None, name: Texts = None,
    inputs: Inputs | Mapping[str, npt.ArrayLike] | None = None, seed: int = 0, bind: Mapping[str, int] | None = None,
    output: AnyPath, memory: int | None = None, device: str | None = None, follow_links: bool = False,
    progress: Progress | None = None,
) -> CaptureReport: ...  # fmt: skip
@suggesting_options
def capture(
    model: AnyModel | TorchModel,
    *,
    op: Texts = None,
    name: Texts = None,
    inputs: Inputs | Mapping[str, npt.ArrayLike] | None = None,
    seed: int = 0,
    bind: Mapping[str, int] | None = None,
    output: AnyPath | None = None,
    memory: int | None = None,
    device: str | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> Captured | CaptureReport:
    """Return what nodes inside a model of ONNX give when it's run, or modules inside one of torch.

    `op`: operators or modules' classes, such as `Conv` or `Conv2d`; `name`: patterns of nodes' names or modules' paths,
    such as `features.*`; one or several of each. `inputs`: see `profile` for torch; for ONNX arrays by name, or none
    for random ones, from `seed`. Without `output` the values come back by name, with a `report`; with it, `FILE.npz` or
    a folder, they are written there and the report comes back. `bind`, `follow_links`, `device`: see `profile`.
    `memory`: megabytes of values of an ONNX model that are computed in one run (256 by default). `debugging.capture`
    says more of ONNX, and `torch_frontend.capture` of torch, whose hooks are removed in any case.

    Raises UsageError (among them: nothing can be captured), ModelError, UnsupportedError, having written nothing.
    """
    if not is_torch(model):
        from onnxtile.debugging.capture.capture import MEMORY
        from onnxtile.debugging.capture.capture import capture as capture_onnx
        from onnxtile.ir.io.links import following_links

        refuse("torch", device=device)
        with following_links(follow_links):
            return capture_onnx(
                model, op=op, name=name, inputs=cast("Mapping[str, object] | None", inputs), seed=seed, bind=bind,
                output=output, memory=MEMORY if memory is None else memory, progress=progress,
            )  # fmt: skip
    from onnxtile.torch_frontend.load import open_torch

    network = open_torch(model, inputs, seed)
    from onnxtile.torch_frontend.capture import capture_torch

    refuse("ONNX", bind=bind, follow_links=follow_links, memory=memory)
    source = next((path for path in files_of(model) if path.exists()), None)
    return capture_torch(network, op=op, name=name, output=output, device=device, source=source, progress=progress)
