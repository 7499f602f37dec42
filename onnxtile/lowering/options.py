"""Options of a lowering: the one object that Python, the command line, torch and `estimate` build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from onnxtile.engine.given import limits_given
from onnxtile.errors import UsageError
from onnxtile.ir.opset_imports import domain_text
from onnxtile.ir.plugins import broken, leave_out
from onnxtile.lowering.model_file import DataFilePolicy
from onnxtile.lowering.weight_stream import ALIGNMENT
from onnxtile.operators.contractions import families
from onnxtile.operators.registry import FAMILIES
from onnxtile.operators.table import PLUGGED
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.decompose import Decompose
from onnxtile.passes.decompose_attention import DecomposeAttention
from onnxtile.passes.decompose_blockwise import DecomposeBlockwise
from onnxtile.passes.decompose_conv_transpose import DecomposeConvTranspose
from onnxtile.passes.decompose_convolution import MOST_NODES, ConvName, DecomposeConvolution
from onnxtile.passes.decompose_einsum import DecomposeEinsum
from onnxtile.passes.decompose_experts import DecomposeExperts
from onnxtile.passes.decompose_fused import DecomposeFused
from onnxtile.passes.decompose_fused_convolution import DecomposeFusedConvolution
from onnxtile.passes.decompose_gemm import DecomposeGemm
from onnxtile.passes.decompose_grouped_attention import DecomposeGroupedAttention
from onnxtile.passes.decompose_linear import DecomposeLinear
from onnxtile.passes.decompose_multihead_attention import DecomposeMultiheadAttention
from onnxtile.passes.decompose_projected_attention import DecomposeProjectedAttention
from onnxtile.passes.decompose_projections import DecomposeProjections
from onnxtile.passes.decompose_qdq import DecomposeQdq
from onnxtile.passes.decompose_qdq_convolution import DecomposeQdqConvolution
from onnxtile.passes.decompose_quantized import DecomposeQuantized
from onnxtile.passes.decompose_quantized_convolution import DecomposeQuantizedConvolution
from onnxtile.passes.decompose_recurrent import DecomposeRecurrent, StepsName
from onnxtile.passes.decompose_transforms import DecomposeTransforms
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.registry import pass_class, pass_name
from onnxtile.passes.restore_products import RestoreProducts
from onnxtile.passes.rewrites.depthwise import DepthwiseName
from onnxtile.passes.specialize_functions import SpecializeFunctions
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.tiling.call_writer import WeightsName, check_weights
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import form_of
from onnxtile.tiling.forms.unrolled import SplitsName
from onnxtile.tiling.limits import AnyLimits, ProductLimits
from onnxtile.tiling.plan import Accumulate

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from onnxtile.engine.choice import Minimize
    from onnxtile.engine.given import AnyEngine
    from onnxtile.ir.io.progress import Progress

MAX_NODES = 10_000
"""Nodes up to which form auto unrolls: onnxruntime loads so many in seconds, and ten times as many in minutes."""
AUTO: Literal["auto"] = "auto"
FormName: TypeAlias = Literal["unrolled", "batched", "loop", "function", "auto"]
DECOMPOSE: dict[str, tuple[type[Decompose], ...]] = {
    "rnn": (DecomposeRecurrent,),
    "conv": (
        DecomposeFusedConvolution, DecomposeQuantizedConvolution, DecomposeQdqConvolution, DecomposeConvolution,
        DecomposeConvTranspose,
    ),
    "attention": (
        DecomposeAttention, DecomposeProjectedAttention, DecomposeMultiheadAttention, DecomposeGroupedAttention
    ),
    "matmul": (
        DecomposeExperts, DecomposeLinear, DecomposeProjections, DecomposeEinsum, DecomposeFused, DecomposeBlockwise,
        DecomposeQdq, DecomposeQuantized, DecomposeGemm,
    ),
    "other": (DecomposeTransforms,),
}  # fmt: skip
"""The passes that write operators of a family out as MatMul, in the order in which they run."""
OWN = frozenset(cls for classes in DECOMPOSE.values() for cls in classes)
DecidingPass: TypeAlias = Decompose | TileMatMul


class Choices(TypedDict, total=False):
    """Fields of LoweringOptions by name."""

    form: FormName
    weights: WeightsName
    accumulate: Accumulate
    max_nodes: int
    max_fan_in: int | None
    max_fan_out: int | None
    splits: SplitsName
    pad_tiles: bool
    narrow_products: bool
    steps: StepsName
    depthwise: DepthwiseName
    conv: ConvName
    value_info: bool


class HowToLower(Choices, total=False):
    """Options of `onnxtile.lower` for every kind of model, which says what they mean."""

    engine: AnyEngine | None
    minimize: Minimize
    ops: str | Sequence[str]
    external_data: bool
    align_data: int
    bind: Mapping[str, int] | None
    follow_links: bool
    verify: bool | None
    progress: Progress | None


@dataclass(frozen=True, kw_only=True)
class LoweringOptions:
    """Options of a lowering. Raises UsageError for what can't be.

    `form`: how tiles are written; `auto` is unrolled up to `max_nodes` nodes, and batched beyond. `weights`: constants
    are cut ahead of time (pretile) or at run time (split). `accumulate`: how partial sums along K are added.
    `max_fan_in`, `max_fan_out`: the most inputs of a Concat or Sum, and outputs of a Split, that are made (None: any).
    `splits`: tiles are cut at run time by Split, or by a Slice each (form unrolled). `pad_tiles`: products are padded
    with zeros to the size of `limits`. `narrow_products`: those of float16 and bfloat16 whose K is cut are computed in
    their type, not in float32. `steps`: those of recurrent operators are a Scan, or unrolled. `depthwise`, `conv`: see
    DecomposeConvolution. `value_info`: types and shapes of new values are written. `data`: where weights of a file go.
    """

    limits: ProductLimits
    families: tuple[str, ...] = FAMILIES
    form: FormName = "unrolled"
    weights: WeightsName = "pretile"
    accumulate: Accumulate = "chain"
    max_nodes: int = MAX_NODES
    max_fan_in: int | None = None
    max_fan_out: int | None = None
    splits: SplitsName = "split"
    pad_tiles: bool = False
    narrow_products: bool = False
    steps: StepsName = "scan"
    depthwise: DepthwiseName = "vector"
    conv: ConvName = "gemm"
    value_info: bool = False
    data: DataFilePolicy = field(default_factory=DataFilePolicy)

    def __post_init__(self) -> None:
        if self.form != AUTO:
            self.form_named(self.form)
        check_weights(self.weights)
        if self.pad_tiles and self.limits.by_types:
            raise UsageError("pad_tiles pads to the sizes of max, and an engine pads tiles itself; leave it out")
        TileMatMul(self.limits, self.accumulate)
        DecomposeRecurrent(self.limits, steps=self.steps)
        DecomposeConvolution(self.limits, pad_tiles=self.pad_tiles, **self._of_convolutions)
        if self.conv == "split" and self.form not in ("unrolled", AUTO):
            raise UsageError(f"conv split writes a convolution for each piece, which form {self.form} doesn't")
        if self.conv == "split" and not self.limits.takes_convolutions:
            raise UsageError(f"conv split writes convolutions, which {self.limits} doesn't run: leave it out")
        self.form_named("unrolled")

    @classmethod
    def of(
        cls,
        max: ProductLimits | AnyLimits | None = None,
        *,
        engine: AnyEngine | None = None,
        minimize: Minimize = "cycles",
        ops: str | Sequence[str] = "all",
        external_data: bool = False,
        align_data: int = ALIGNMENT,
        **options: Unpack[Choices],
    ) -> LoweringOptions:
        """Build options from limits in any form, or an engine, names of families, and the fields of this class."""
        data, limits = DataFilePolicy(external_data, align_data), limits_given(max, engine, minimize)
        limits = limits.narrow(options.get("narrow_products", False))
        return cls(limits=limits, families=families(ops), data=data, **options)

    @property
    def ability(self) -> str:
        """Return the form that says what may be cut: with auto, the one that is taken when unrolled won't do."""
        return "batched" if self.form == AUTO else self.form

    def form_named(self, name: str) -> Form:
        """Return a form as these options have it written."""
        return form_of(name, self.max_fan_in, self.max_fan_out, self.splits, (AUTO,))

    def passes(self) -> list[DecidingPass]:
        """Return the passes that cut what is asked for, in their order."""
        how = (self.ability, True, self.pad_tiles)
        asked = [cls for family, classes in DECOMPOSE.items() if family in self.families for cls in classes]
        asked = [*plugged_passes(self.families), *asked]
        if not asked:
            return []
        made_only = "matmul" not in self.families
        tile = TileMatMul(self.limits, self.accumulate, *how, made_only, self.narrow_products)
        choices: dict[type[Decompose], dict[str, Any]] = {
            DecomposeRecurrent: {"steps": self.steps},
            DecomposeConvolution: self._of_convolutions,
            DecomposeQuantizedConvolution: {"depthwise": self.depthwise},
            DecomposeQdqConvolution: {"depthwise": self.depthwise},
        }  # fmt: skip
        return [*(cls(self.limits, *how, **choices.get(cls, {})) for cls in asked), tile]

    @property
    def _of_convolutions(self) -> dict[str, Any]:
        """Options of DecomposeConvolution."""
        names = ("depthwise", "conv", "weights", "accumulate", "max_fan_in", "narrow_products")
        budget = {"max_nodes": min(self.max_nodes, MOST_NODES)} if self.form == AUTO else {}
        return {name: getattr(self, name) for name in names} | budget

    def pass_names(self) -> list[str]:
        """Return the names of the passes that a lowering may run."""
        first = (BindDims(), InferShapes(), RestoreProducts(self.limits), SpecializeFunctions())
        return [pass_name(pass_) for pass_ in (*first, *self.passes())]


def plugged_passes(families: Sequence[str]) -> list[type[Decompose]]:
    """Return the passes that write out operators of plugins, by the operators' declarations.

    One that can't be had, or isn't a subclass of Decompose, is left out, with a PluginWarning: operators that it would
    write out are refused.
    """
    found: dict[type[Decompose], None] = {}
    for (domain, name), plugged in PLUGGED.items():
        products = plugged.facts.products
        if products is None or products.lowered_by is None or products.family not in families:
            continue
        try:
            cls = pass_class(products.lowered_by)
            if not issubclass(cls, Decompose):
                raise UsageError(f"pass {products.lowered_by!r} is no subclass of Decompose")
        except UsageError as error:
            leave_out(broken(plugged.plugin, f"what lowers {name} of domain {domain_text(domain)}: {error}"))
            continue
        if cls not in OWN:
            found[cls] = None
    return list(found)
