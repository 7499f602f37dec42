"""`lower`: an equivalent model whose products fit; `estimate`: what that would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, overload

from onnxtile.api.models import files_of, refuse
from onnxtile.errors import PassError, suggesting_options
from onnxtile.torch_frontend.detection import is_torch

if TYPE_CHECKING:
    import onnx
    from typing_extensions import Unpack

    from onnxtile.api.models import AnyPath, Inputs, Model, TorchModel
    from onnxtile.engine.choice import Minimize
    from onnxtile.engine.given import AnyEngine
    from onnxtile.ir.io.interop import AnyModel, ModelInMemory
    from onnxtile.ir.io.progress import Progress
    from onnxtile.lowering.form_costs import Cost
    from onnxtile.lowering.options import FormName, HowToLower, LoweringOptions
    from onnxtile.lowering.report import Report
    from onnxtile.passes.decompose_convolution import ConvName
    from onnxtile.passes.decompose_recurrent import StepsName
    from onnxtile.passes.rewrites.depthwise import DepthwiseName
    from onnxtile.tiling.call_writer import WeightsName
    from onnxtile.tiling.forms.unrolled import SplitsName
    from onnxtile.tiling.limits import AnyLimits
    from onnxtile.tiling.plan import Accumulate


@overload
def lower(
    model: Model, max: AnyLimits | None = None, *, output: None = None, report: Literal[False] = False,
    **options: Unpack[HowToLower],
) -> Model: ...  # fmt: skip
@overload
def lower(
    model: Model, max: AnyLimits | None = None, *, output: None = None, report: Literal[True],
    **options: Unpack[HowToLower],
) -> tuple[Model, Report]: ...  # fmt: skip
@overload
def lower(
    model: AnyModel, max: AnyLimits | None = None, *, output: AnyPath, report: bool = False,
    **options: Unpack[HowToLower],
) -> Report: ...  # fmt: skip
@overload
def lower(
    model: AnyPath, max: AnyLimits | None = None, *, output: None = None, report: Literal[False] = False,
    **options: Unpack[HowToLower],
) -> onnx.ModelProto: ...  # fmt: skip
@overload
def lower(
    model: AnyPath, max: AnyLimits | None = None, *, output: None = None, report: Literal[True],
    **options: Unpack[HowToLower],
) -> tuple[onnx.ModelProto, Report]: ...  # fmt: skip
@overload
def lower(
    model: TorchModel, inputs: Inputs | None = None, *, max: AnyLimits | None = None,
    keep_exported: AnyPath | None = None, output: None = None, report: Literal[False] = False,
    **options: Unpack[HowToLower],
) -> onnx.ModelProto: ...  # fmt: skip
@overload
def lower(
    model: TorchModel, inputs: Inputs | None = None, *, max: AnyLimits | None = None,
    keep_exported: AnyPath | None = None, output: None = None, report: Literal[True], **options: Unpack[HowToLower],
) -> tuple[onnx.ModelProto, Report]: ...  # fmt: skip
@overload
def lower(
    model: TorchModel, inputs: Inputs | None = None, *, max: AnyLimits | None = None,
    keep_exported: AnyPath | None = None, output: AnyPath, report: bool = False, **options: Unpack[HowToLower],
) -> Report: ...  # fmt: skip
@suggesting_options  # type: ignore[misc]  # a model of ONNX may have its limits in the second place
def lower(
    model: AnyModel | TorchModel,
    inputs: Inputs | AnyLimits | None = None,
    max: AnyLimits | None = None,
    *,
    engine: AnyEngine | None = None,
    minimize: Minimize = "cycles",
    ops: str | Sequence[str] = "all",
    form: FormName = "unrolled",
    weights: WeightsName = "pretile",
    accumulate: Accumulate = "chain",
    max_nodes: int = 10_000,
    max_fan_in: int | None = None,
    max_fan_out: int | None = None,
    splits: SplitsName = "split",
    pad_tiles: bool = False,
    narrow_products: bool = False,
    steps: StepsName = "scan",
    depthwise: DepthwiseName = "vector",
    conv: ConvName = "gemm",
    value_info: bool = False,
    external_data: bool = False,
    align_data: int = 4,
    bind: Mapping[str, int] | None = None,
    output: AnyPath | None = None,
    report: bool = False,
    verify: bool | None = None,
    keep_exported: AnyPath | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> ModelInMemory | Report | tuple[ModelInMemory, Report]:
    """Return an equivalent model of ONNX in which each product is at most `max` (M, K, N; None: no limit).

    Or in which each fits `engine`, an Engine, a file or a built-in one's name: each product is then cut into the tiles
    that cost least on it (`minimize`: cycles, bytes or calls), which stand in the order in which they are to run.

    `lower(model, max)` for models of ONNX: a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph. The same kind
    comes back, a ModelProto for a path; the caller's model isn't changed. With `report=True` the model and the Report
    come back; with `output=PATH` the file is written and the Report comes back. `verify`: prove the result equivalent
    before it's given or kept (`bind` holds there, too).

    `lower(model, inputs, max=...)` for those of torch, `model` and `inputs` as in `profile`: the model is exported as
    it runs with these inputs, and lowered; unless `verify` is false the result is proven equivalent to what was
    exported, and held against torch itself, on these inputs and random ones. A ModelProto comes back. `keep_exported`:
    a path to which the exported model goes, too.

    `ops`: families of operators to lower (matmul, conv, rnn, attention, other; all). `form`: how tiles are written
    (unrolled, batched, loop, function; auto: unrolled up to `max_nodes` nodes, batched beyond). `weights`: cut
    constants ahead of time (pretile) or at run time (split). `accumulate`: how partial sums are added (chain, tree,
    sum; form loop always by chain). `max_fan_in`, `max_fan_out`: the most inputs of a Concat or Sum, and outputs of a
    Split, that are made (None: any). `splits`: unrolled, tiles are cut at run time by Split (split) or by a Slice each
    (slice), for tools that don't know every version of Split. `pad_tiles`: products are padded with zeros to the size
    of `max`, for engines that take only full tiles. `narrow_products`: products of float16 and bfloat16 whose K is cut
    are computed in their type, where they may overflow, and not in float32. `steps`: those of RNN, LSTM and GRU are a
    Scan (scan), or written one by one (unroll). `depthwise`: convolutions with kernels of their own for each channel
    become sums of elements by weights, without a product (vector), what others become (gemm), or stay (keep). `conv`:
    others become products (gemm), or smaller convolutions (split). `value_info`: types and shapes of new values are
    written, for viewers, in a model of up to 100,000 nodes. `bind`: sizes of free dimensions by name. With `output`:
    `external_data` puts weights into a data file beside the model (one above 2 GB gets one anyway), each from a
    multiple of `align_data` bytes on. `follow_links`: see `profile`. `progress` is told what is being done.

    What can't be lowered stays as it is; the Report, or `check` on the result, lists it with the reason. Raises
    UsageError, ModelError, UnsupportedError (among them: torch can't export the model), PassError where the result
    isn't equivalent, having written nothing.
    """
    from onnxtile.ir.io.links import following_links
    from onnxtile.lowering.lower import lower as lower_onnx
    from onnxtile.lowering.lower import lowering_to
    from onnxtile.lowering.options import LoweringOptions

    of_torch = is_torch(model)
    limits = inputs if max is None and not of_torch else max
    options = LoweringOptions.of(
        cast("AnyLimits | None", limits), engine=engine, minimize=minimize, ops=ops, form=form, weights=weights,
        accumulate=accumulate, max_nodes=max_nodes, max_fan_in=max_fan_in, max_fan_out=max_fan_out, splits=splits,
        pad_tiles=pad_tiles, narrow_products=narrow_products, steps=steps, depthwise=depthwise, conv=conv,
        value_info=value_info,
        external_data=external_data,
        align_data=align_data,
    )  # fmt: skip
    if of_torch:
        refuse("ONNX", bind=bind, follow_links=follow_links)
        return _lower_torch(
            model, cast("Inputs | None", inputs), options, verify is not False, output, report, keep_exported, progress
        )
    refuse("torch", inputs=None if max is None else inputs, keep_exported=keep_exported)
    with following_links(follow_links):
        if output is not None:
            with lowering_to(model, output, options, bind, progress) as (temporary, written):
                if verify:
                    _prove(model, temporary, bind, progress)
            return written
        lowered, judged = lower_onnx(model, options, bind, progress)
        if verify:
            _prove(model, lowered, bind, progress)
        return (lowered, judged()) if report else lowered


def _prove(model: AnyModel, lowered: AnyModel, bind: Mapping[str, int] | None, progress: Progress | None) -> None:
    """Raise PassError where the lowered model isn't equivalent."""
    from onnxtile.verification.verify import verify

    verdict = verify(model, lowered, bind=bind, progress=progress)
    if not verdict.equivalent:
        raise PassError(f"the lowered model isn't equivalent: {verdict.why}; it wasn't kept")


def _lower_torch(
    model: TorchModel, inputs: Inputs | None, options: LoweringOptions, verify: bool, output: AnyPath | None,
    report: bool, keep_exported: AnyPath | None, progress: Progress | None,
) -> onnx.ModelProto | Report | tuple[onnx.ModelProto, Report]:  # fmt: skip
    from onnxtile.ir.io.files import check_output
    from onnxtile.torch_frontend.load import open_torch

    targets = [Path(path) for path in (output, keep_exported) if path is not None]
    for at, target in enumerate(targets):
        check_output(target, *files_of(model), *targets[:at])
    network = open_torch(model, inputs)
    from onnxtile.torch_frontend.lower import lower_torch

    lowered, result = lower_torch(
        network, options, verify=verify, output=output, keep_exported=keep_exported, progress=progress
    )
    if lowered is None:
        return result
    return (lowered, result) if report else lowered


@suggesting_options
def estimate(
    model: AnyModel,
    max: AnyLimits | None = None,
    *,
    engine: AnyEngine | None = None,
    minimize: Minimize = "cycles",
    ops: str | Sequence[str] = "all",
    weights: WeightsName = "pretile",
    accumulate: Accumulate = "chain",
    max_fan_in: int | None = None,
    max_fan_out: int | None = None,
    splits: SplitsName = "split",
    pad_tiles: bool = False,
    narrow_products: bool = False,
    steps: StepsName = "scan",
    depthwise: DepthwiseName = "vector",
    conv: ConvName = "gemm",
    bind: Mapping[str, int] | None = None,
) -> tuple[Report, list[Cost]]:
    """Return what `lower` would do to each product, and what each form would cost; nothing is written.

    Arguments and errors are those of `lower`.
    """
    from onnxtile.lowering.lower import estimate as estimate_onnx
    from onnxtile.lowering.options import LoweringOptions

    options = LoweringOptions.of(
        max, engine=engine, minimize=minimize, ops=ops, weights=weights, accumulate=accumulate,
        max_fan_in=max_fan_in, max_fan_out=max_fan_out, splits=splits,
        pad_tiles=pad_tiles, narrow_products=narrow_products, steps=steps,
        depthwise=depthwise, conv=conv,
    )  # fmt: skip
    return estimate_onnx(model, options, bind)
