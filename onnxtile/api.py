"""`profile`, `capture` and `lower` of whatever comes: models of ONNX, and those of torch with the inputs of one run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, overload

from onnxtile.errors import PassError, UsageError
from onnxtile.torch_frontend.detection import is_torch

if TYPE_CHECKING:
    from typing import TypeAlias

    import onnx
    import onnx_graphsurgeon
    import onnx_ir as ir
    import torch
    from typing_extensions import Unpack

    from onnxtile.debugging.capture.report import Captured, CaptureReport
    from onnxtile.debugging.capture.selection import Texts
    from onnxtile.ir.io.interop import AnyModel
    from onnxtile.ir.io.progress import Progress
    from onnxtile.lowering.form_costs import Cost
    from onnxtile.lowering.options import FormName, LoweringOptions, WeightsName
    from onnxtile.lowering.report import Report
    from onnxtile.profiling.results import Profile
    from onnxtile.tiling.limits import AnyLimits
    from onnxtile.tiling.plan import Accumulate

    AnyPath: TypeAlias = str | os.PathLike[str]
    TorchModel: TypeAlias = torch.nn.Module | torch.export.ExportedProgram | AnyPath
    Inputs: TypeAlias = torch.Tensor | Sequence[Any] | Mapping[str, Any]


class HowToLower(TypedDict, total=False):
    """Options of `lower`, which says what they mean."""

    ops: str | Sequence[str]
    form: FormName
    weights: WeightsName
    accumulate: Accumulate
    max_nodes: int
    max_fan_in: int | None
    max_fan_out: int | None
    pad_tiles: bool
    external_data: bool
    align_data: int
    verify: bool | None
    progress: Progress | None


class CaptureOptions(TypedDict, total=False):
    """Options of `debugging.capture.capture` that are those of both kinds of models."""

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

    A model of ONNX is a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph; `profiling.profile` says more. One
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
    a folder, they are written there and the report comes back. `follow_links`: see `profile`. `debugging.capture` says
    more of ONNX, and `torch_frontend.capture` of torch, whose hooks are removed in any case.

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
def lower(
    model: ir.Model, max: AnyLimits, *, bind: Mapping[str, int] | None = None, output: None = None,
    follow_links: bool = False, **options: Unpack[HowToLower],
) -> ir.Model: ...  # fmt: skip
@overload
def lower(
    model: onnx.ModelProto | AnyPath, max: AnyLimits, *, bind: Mapping[str, int] | None = None, output: None = None,
    follow_links: bool = False, **options: Unpack[HowToLower],
) -> onnx.ModelProto: ...  # fmt: skip
@overload
def lower(
    model: onnx_graphsurgeon.Graph, max: AnyLimits, *, bind: Mapping[str, int] | None = None, output: None = None,
    follow_links: bool = False, **options: Unpack[HowToLower],
) -> onnx_graphsurgeon.Graph: ...  # fmt: skip
@overload
def lower(
    model: AnyModel, max: AnyLimits, *, bind: Mapping[str, int] | None = None, output: AnyPath,
    follow_links: bool = False, **options: Unpack[HowToLower],
) -> Report: ...  # fmt: skip
@overload
def lower(
    model: TorchModel, inputs: Inputs | None = None, *, max: AnyLimits, output: None = None,
    keep_exported: AnyPath | None = None, **options: Unpack[HowToLower],
) -> onnx.ModelProto: ...  # fmt: skip
@overload
def lower(
    model: TorchModel, inputs: Inputs | None = None, *, max: AnyLimits, output: AnyPath,
    keep_exported: AnyPath | None = None, **options: Unpack[HowToLower],
) -> Report: ...  # fmt: skip
def lower(  # type: ignore[misc]  # a model of ONNX may have its limits in the second place
    model: Any,
    inputs: Any = None,
    max: Any = None,
    *,
    ops: str | Sequence[str] = "matmul",
    form: FormName = "unrolled",
    weights: WeightsName = "pretile",
    accumulate: Accumulate = "chain",
    max_nodes: int = 10_000,
    max_fan_in: int | None = None,
    max_fan_out: int | None = None,
    pad_tiles: bool = False,
    external_data: bool = False,
    align_data: int = 4,
    bind: Mapping[str, int] | None = None,
    output: AnyPath | None = None,
    verify: bool | None = None,
    keep_exported: AnyPath | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> Any:
    """Return an equivalent model of ONNX in which each product of `ops` is at most `max` (M, K, N; None: no limit).

    `lower(model, max)` for models of ONNX: a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph. The same kind
    comes back, a ModelProto for a path; the caller's model isn't changed. With `output=PATH` the file is written and
    the Report comes back. `verify`: prove the result equivalent before it's given or kept (`bind` holds there, too).

    `lower(model, inputs, max=...)` for those of torch, `model` and `inputs` as in `profile`: the model is exported as
    it runs with these inputs, and lowered; unless `verify` is false the result is proven equivalent to what was
    exported, and held against torch itself, on these inputs and random ones. A ModelProto comes back. `keep_exported`:
    a path to which the exported model goes, too.

    `form`: how tiles are written (unrolled, batched, loop, function; auto: unrolled up to `max_nodes` nodes, batched
    beyond). `weights`: cut constants ahead of time (pretile) or at run time (split). `accumulate`: how partial sums are
    added (chain, tree, sum; form loop always by chain). `max_fan_in`, `max_fan_out`: the most inputs of a Concat or
    Sum, and outputs of a Split, that are made (None: any). `pad_tiles`: products are padded with zeros to the size of
    `max`, for engines that take only full tiles. `bind`: sizes of free dimensions by name. With `output`:
    `external_data` puts weights into a data file beside the model (one above 2 GB gets one anyway), each from a
    multiple of `align_data` bytes on. `follow_links`: see `profile`. `progress` is told what is being done.

    What can't be lowered stays as it is; `check` on the result, or the Report, lists it with the reason. Raises
    UsageError, ModelError, UnsupportedError (among them: torch can't export the model), PassError where the result
    isn't equivalent, having written nothing.
    """
    from onnxtile.ir.io.links import following_links
    from onnxtile.lowering.options import LoweringOptions

    torch_given = is_torch(model)
    if not torch_given:
        _refuse_for_onnx(inputs if max is not None else None, keep_exported)
    limits = inputs if max is None and not torch_given else max
    if limits is None:
        raise UsageError("no limits are given: say max=(M, K, N), such as max=(64, 64, 64)")
    options = LoweringOptions.of(
        limits, ops=ops, form=form, weights=weights, accumulate=accumulate, max_nodes=max_nodes, max_fan_in=max_fan_in,
        max_fan_out=max_fan_out, pad_tiles=pad_tiles, external_data=external_data, align_data=align_data,
    )  # fmt: skip
    if torch_given:
        _refuse_bind(bind)
        return _lower_torch(model, inputs, options, verify is not False, output, keep_exported, progress)
    with following_links(follow_links):
        return _lower_onnx(model, options, bind, output, bool(verify), progress)


def _refuse_for_onnx(inputs: object, keep_exported: object) -> None:
    """Refuse what is for models of torch alone."""
    if keep_exported is not None:
        raise UsageError("keep_exported is for models of torch: this one isn't exported")
    if inputs is not None:
        raise UsageError("a model of ONNX is lowered without inputs: give the limits alone")


def _lower_onnx(
    model: AnyModel, options: LoweringOptions, bind: Mapping[str, int] | None, output: AnyPath | None, verify: bool,
    progress: Progress | None,
) -> Any:  # fmt: skip
    from onnxtile.lowering.lower import lower as lower_onnx
    from onnxtile.lowering.lower import lowering_to

    if output is not None:
        with lowering_to(model, output, options, bind, progress) as (temporary, report):
            if verify:
                _prove(model, temporary, bind, progress)
        return report
    lowered = lower_onnx(model, options, bind, progress)
    if verify:
        _prove(model, lowered, bind, progress)
    return lowered


def _prove(model: AnyModel, lowered: AnyModel, bind: Mapping[str, int] | None, progress: Progress | None) -> None:
    """Raise PassError where the lowered model isn't equivalent."""
    from onnxtile.verification.verify import verify

    verdict = verify(model, lowered, bind=bind, progress=progress)
    if not verdict.equivalent:
        raise PassError(f"the lowered model isn't equivalent: {verdict.why}; it wasn't kept")


def _lower_torch(
    model: Any, inputs: Any, options: LoweringOptions, verify: bool, output: AnyPath | None,
    keep_exported: AnyPath | None, progress: Progress | None,
) -> Any:  # fmt: skip
    from onnxtile.ir.io.files import check_output
    from onnxtile.torch_frontend.open import open_torch

    targets = [Path(path) for path in (output, keep_exported) if path is not None]
    for at, target in enumerate(targets):
        check_output(target, *([Path(model)] if isinstance(model, (str, os.PathLike)) else []), *targets[:at])
    opened = open_torch(model, inputs)
    from onnxtile.torch_frontend.lower import lower_torch

    return lower_torch(
        opened.model, opened.args, opened.kwargs, options, verify=verify, output=output, keep_exported=keep_exported,
        progress=progress,
    )  # fmt: skip


def estimate(
    model: AnyModel,
    max: AnyLimits,
    *,
    ops: str | Sequence[str] = "matmul",
    weights: WeightsName = "pretile",
    accumulate: Accumulate = "chain",
    max_fan_in: int | None = None,
    max_fan_out: int | None = None,
    pad_tiles: bool = False,
    bind: Mapping[str, int] | None = None,
) -> tuple[Report, list[Cost]]:
    """Return what `lower` would do to each product, and what each form would cost; nothing is written.

    Arguments and errors are those of `lower`.
    """
    from onnxtile.lowering.lower import estimate as estimate_onnx
    from onnxtile.lowering.options import LoweringOptions

    options = LoweringOptions.of(
        max, ops=ops, weights=weights, accumulate=accumulate, max_fan_in=max_fan_in, max_fan_out=max_fan_out,
        pad_tiles=pad_tiles,
    )  # fmt: skip
    return estimate_onnx(model, options, bind)


def _refuse_bind(bind: object) -> None:
    if bind:
        raise UsageError("a torch model has no free dimensions to bind: its inputs have the sizes")
