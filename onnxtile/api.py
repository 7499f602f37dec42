"""`profile`, `capture` and `lower` of whatever comes: models of ONNX, and those of torch with the inputs of one run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, overload

from onnxtile.errors import UsageError
from onnxtile.torch_frontend.detection import is_torch

if TYPE_CHECKING:
    from typing import TypeAlias

    import torch
    from typing_extensions import Unpack

    from onnxtile.debugging.capture.report import Captured, CaptureReport
    from onnxtile.debugging.capture.selection import Texts
    from onnxtile.ir.io.interop import AnyModel
    from onnxtile.ir.io.progress import Progress
    from onnxtile.profiling.results import Profile
    from onnxtile.tiling.limits import AnyLimits
    from onnxtile.tiling.plan import Accumulate

    AnyPath: TypeAlias = str | os.PathLike[str]
    TorchModel: TypeAlias = torch.nn.Module | torch.export.ExportedProgram | AnyPath
    Inputs: TypeAlias = torch.Tensor | Sequence[Any] | Mapping[str, Any]


class LowerOptions(TypedDict, total=False):
    """Options of `lowering.lower`, which says what they mean."""

    ops: str | Sequence[str]
    form: str
    weights: str
    accumulate: Accumulate
    max_nodes: int
    max_fan_in: int | None
    max_fan_out: int | None
    pad_tiles: bool
    external_data: bool
    align_data: int
    bind: Mapping[str, int] | None
    output: AnyPath | None
    follow_links: bool
    progress: Progress | None


class CaptureOptions(TypedDict, total=False):
    """Options of `capturing.capture` that are those of both kinds of models."""

    op: Texts
    name: Texts
    seed: int
    follow_links: bool
    progress: Progress | None


@overload
def profile(
    model: AnyModel, *, bind: Mapping[str, int] | None = None, convention: str = "macs", details: bool = False,
    follow_links: bool = False,
) -> Profile: ...  # fmt: skip
@overload
def profile(
    model: TorchModel, *, inputs: Inputs | None = None, convention: str = "macs", details: bool = False,
    device: str | None = None,
) -> Profile: ...  # fmt: skip
def profile(model: Any, **options: Any) -> Profile:
    """What every node of a model costs, and all of them together: operations, parameters, memory, bandwidth.

    A model of ONNX is a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph; `profiler.profile` says more. One
    of torch is an `nn.Module`, TorchScript, an exported program, the path of a .pt or .pt2 file, or `module:callable`.
    It runs once on `inputs`: tensors by place or by name, or texts such as '1x3x224x224:float32' for random ones; an
    exported program has its own. `device`: where it runs, such as `cuda`; the model goes back afterwards.

    `follow_links`: data files of a model of ONNX may be links that lead out of its folder, as in a cache of models.
    `convention`: `macs`, or `ptflops` for what that tool counts in place of multiply-accumulates. `details`: the shapes
    and attributes of each node as text, too. Raises UsageError (among them: the model fails on these inputs),
    ModelError, UnsupportedError.
    """
    if not is_torch(model):
        from onnxtile.ir.io.links import following_links
        from onnxtile.profiling.profile import profile as profile_onnx

        with following_links(options.pop("follow_links", False)):
            return profile_onnx(model, **options)
    from onnxtile.torch_frontend.open import open_torch, running

    opened = open_torch(model, options.pop("inputs", None))
    from onnxtile.torch_frontend.profile import profile_of
    from onnxtile.torch_frontend.trace.recording import record

    _refuse_bind(options.pop("bind", None))
    with running():
        recording = record(*opened.run, options.pop("device", None))
    return profile_of(recording, **options)


@overload
def capture(
    model: AnyModel, *, inputs: Mapping[str, Any] | None = None, bind: Mapping[str, int] | None = None,
    memory: int = 256, output: None = None, **options: Unpack[CaptureOptions],
) -> Captured: ...  # fmt: skip
@overload
def capture(
    model: AnyModel, *, inputs: Mapping[str, Any] | None = None, bind: Mapping[str, int] | None = None,
    memory: int = 256, output: AnyPath, **options: Unpack[CaptureOptions],
) -> CaptureReport: ...  # fmt: skip
@overload
def capture(
    model: TorchModel, *, inputs: Inputs | None, output: None = None, device: str | None = None,
    **options: Unpack[CaptureOptions],
) -> Captured: ...  # fmt: skip
@overload
def capture(
    model: TorchModel, *, inputs: Inputs | None, output: AnyPath, device: str | None = None,
    **options: Unpack[CaptureOptions],
) -> CaptureReport: ...  # fmt: skip
def capture(model: Any, **options: Any) -> Captured | CaptureReport:
    """What nodes inside a model of ONNX give when it's run, or modules inside one of torch.

    `op`: operators or modules' classes, such as `Conv` or `Conv2d`; `name`: patterns of nodes' names or modules' paths,
    such as `features.*`; one or several of each. `inputs`: see `profile` for torch; for ONNX arrays by name, or none
    for random ones, from `seed`. Without `output` the values come back by name, with a `report`; with it, `FILE.npz` or
    a folder, they are written there and the report comes back. `follow_links`: see `profile`. `capturing.capture` says
    more of ONNX, and `torching.capturing.capture_torch` of torch, whose hooks are removed in any case.

    Raises UsageError (among them: nothing can be captured), ModelError, UnsupportedError, having written nothing.
    """
    if not is_torch(model):
        from onnxtile.debugging.capture.capture import capture as capture_onnx
        from onnxtile.ir.io.links import following_links

        with following_links(options.pop("follow_links", False)):
            found: Captured | CaptureReport = capture_onnx(model, **options)
        return found
    from onnxtile.torch_frontend.open import open_torch

    opened = open_torch(model, options.pop("inputs", None), options.pop("seed", 0))
    from onnxtile.torch_frontend.capture import capture_torch

    _refuse_bind(options.pop("bind", None))
    source = model if isinstance(model, (str, os.PathLike)) and os.path.exists(model) else None  # noqa: PTH110  # either
    return capture_torch(opened.model, opened.args, opened.kwargs, seed=opened.seed, source=source, **options)


@overload
def lower(model: AnyModel, max: AnyLimits, **options: Unpack[LowerOptions]) -> Any: ...
@overload
def lower(
    model: TorchModel, inputs: Inputs | None = None, *, max: AnyLimits, verify: bool = True,
    keep_exported: AnyPath | None = None, **options: Unpack[LowerOptions],
) -> Any: ...  # fmt: skip
def lower(model: Any, *args: Any, **options: Any) -> Any:
    """An equivalent model of ONNX in which every product of `ops` is at most `max` (M, K, N; None: no limit).

    `lower(model, max)` for models of ONNX: a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph. The same kind
    comes back, a ModelProto for a path; with `output=PATH` the file is written and the Report comes back.
    `lowering.lower` says what all options mean; `follow_links`: see `profile`.

    `lower(model, inputs, max=...)` for those of torch, `model` and `inputs` as in `profile`: the model is exported as
    it runs with these inputs, and lowered; with `verify` (the default) the result is proven equivalent to what was
    exported, and held against torch itself, on these inputs and random ones. A ModelProto comes back. `keep_exported`:
    a path to which the exported model goes, too.

    What can't be lowered stays as it is; `check` on the result, or the Report, lists it with the reason. Raises
    UsageError, ModelError, UnsupportedError (among them: torch can't export the model), PassError where the result
    isn't equivalent, having written nothing.
    """
    from onnxtile.ir.io.links import following_links
    from onnxtile.lowering.lower import lower as lower_onnx

    if not is_torch(model):
        with following_links(options.pop("follow_links", False)):
            return lower_onnx(model, *args, **options)
    return _lower_torch(model, *args, **options)


def _lower_torch(
    model: Any, inputs: Any = None, *, max: AnyLimits, ops: str | Sequence[str] = "matmul", form: str = "unrolled",
    weights: str = "pretile", accumulate: Accumulate = "chain", external_data: bool = False, align_data: int = 4,
    bind: object = None, **options: Any,
) -> Any:  # fmt: skip
    from onnxtile.ir.io.files import check_output
    from onnxtile.lowering.lower import Wish
    from onnxtile.lowering.model_file import DataFile
    from onnxtile.operators.table import families
    from onnxtile.tiling.limits import Limits
    from onnxtile.torch_frontend.open import open_torch

    _refuse_bind(bind)
    running = {name: options.pop(name) for name in ("verify", "output", "keep_exported", "progress") if name in options}
    data = DataFile(external_data, align_data)
    wish = Wish(Limits.of(max), families(ops), form, weights, accumulate, data=data, **options)
    targets = [Path(running[name]) for name in ("output", "keep_exported") if running.get(name) is not None]
    for at, target in enumerate(targets):
        check_output(target, *([Path(model)] if isinstance(model, (str, os.PathLike)) else []), *targets[:at])
    opened = open_torch(model, inputs)
    from onnxtile.torch_frontend.lower import lower_torch

    return lower_torch(opened.model, opened.args, opened.kwargs, wish, **running)


def _refuse_bind(bind: object) -> None:
    if bind:
        raise UsageError("a torch model has no free dimensions to bind: its inputs have the sizes")
