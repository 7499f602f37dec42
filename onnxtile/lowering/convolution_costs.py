"""Compare the ways to write convolutions: as products or as smaller ones, and what becomes of depthwise ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError
from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.progress import silent
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.symbolic.amounts import Amount, Unknown, amount_of, product, total
from onnxtile.lowering.engine_use import EngineUse
from onnxtile.lowering.form_costs import nodes_of_calls
from onnxtile.lowering.lower import Lowered, lower_ir
from onnxtile.lowering.options import AUTO, LoweringOptions
from onnxtile.lowering.plan import pieces_of
from onnxtile.lowering.report import Report
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.operators.windows import Geometry
from onnxtile.passes.decompose_convolution import DecomposeConvolution
from onnxtile.passes.instrument import Instrument, Turn
from onnxtile.passes.rewrites.depthwise import is_depthwise
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.legality import Decision, Refusal, legality
from onnxtile.tiling.plan import SplitPlan, TilePlan, VectorPlan

FORMS = ("unrolled", "batched")
"""Forms that are compared: that of split convolutions, and the most compact one of plain operators."""

_CHOICES: dict[tuple[str, str], dict[str, Any]] = {
    ("conv", "gemm"): {"conv": "gemm"},
    ("conv", "split"): {"conv": "split"},
    ("depthwise", "vector"): {"conv": "gemm", "depthwise": "vector"},
    ("depthwise", "keep"): {"conv": "gemm", "depthwise": "keep"},
    ("depthwise", "gemm"): {"conv": "gemm", "depthwise": "gemm"},
}


@dataclass(frozen=True)
class ConvolutionCost(JsonRecord):
    """Results of a choice for the convolutions beyond the limits that it's about: depthwise ones, or the others.

    `option`: conv or depthwise; `choice`: what it may be; `form`: that of the tiles (None: there are none).
    `convolutions`: how many it's about; `left`: those that stay over the limits, or may be. `nodes`: what they become,
    None where the form can't write them. `calls`: products that the engine computes, those of groups and batches each;
    `macs`: the multiply-accumulates of these, padding included (numbers, or formulas in free dimensions).
    """

    option: str
    choice: str
    form: str | None
    convolutions: int
    left: int
    nodes: int | None
    calls: Amount
    macs: Amount

    @property
    def words(self) -> str:
        """Return the options to write: `--conv gemm --form batched`."""
        return f"--{self.option} {self.choice}" + (f" --form {self.form}" if self.form else "")


def convolution_costs(
    model: AnyModel, options: LoweringOptions, bind: Mapping[str, int] | None, report: Report
) -> list[ConvolutionCost]:
    """Return what each choice of --conv and --depthwise would make of the model's convolutions; nothing is written.

    `report`: what is known of the products already. There's nothing to choose where no convolution exceeds the limits.
    Raises what `lower` raises.
    """
    if not any(row.family == "conv" and row.status not in ("fits", "not-asked") for row in report.contractions):
        return []
    asked = replace(options, families=("conv",), form=AUTO, max_nodes=LARGEST, conv="gemm", depthwise="vector")
    lowered, judged = _lowered(model, asked, bind)
    forms = [options.form_named(name) for name in FORMS]
    costs = []
    if judged["conv", "gemm"]:
        costs += [_cost("conv", "gemm", judged["conv", "gemm"], form, lowered) for form in forms]
        if options.limits.takes_convolutions:
            costs += [_cost("conv", "split", judged["conv", "split"], None, lowered)]
    if judged["depthwise", "gemm"]:
        for choice in ("vector", "keep"):
            costs.append(_cost("depthwise", choice, judged["depthwise", choice], None, lowered))
        lowered, judged = _lowered(model, replace(asked, depthwise="gemm"), bind)
        costs += [_cost("depthwise", "gemm", judged["depthwise", "gemm"], form, lowered) for form in forms]
    return costs


@dataclass(frozen=True)
class _Judged:
    """A convolution beyond the limits, what would become of it, and the products that the engine would compute."""

    product: Contraction
    decision: Decision
    calls: Amount


class _Judging(Instrument):
    """Judges convolutions by each choice, as the pass that writes them out finds them."""

    def __init__(self) -> None:
        self.judged: dict[tuple[str, str], list[_Judged]] = {choice: [] for choice in _CHOICES}

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        if not isinstance(turn.pass_, DecomposeConvolution) or turn.pass_.max is None:
            return
        products = [each for each in contractions(model) if legality(each, turn.pass_.max) != "fits"]
        for (option, choice), fields in _CHOICES.items():
            concerned = [each for each in products if _is_depthwise(each) == (option == "depthwise")]
            decided = replace(turn.pass_, pad_tiles=False, **fields).decide(model, concerned)
            self.judged[option, choice] += [_Judged(*each, _calls(*each)) for each in decided]


def _lowered(
    model: AnyModel, options: LoweringOptions, bind: Mapping[str, int] | None
) -> tuple[Lowered, dict[tuple[str, str], list[_Judged]]]:
    judging = _Judging()
    return lower_ir(to_ir(model), options, bind or {}, silent, [judging]), judging.judged


def _is_depthwise(product: Contraction) -> bool:
    try:
        return is_depthwise(Geometry.of(product.node))
    except (UnsizedError, ModelError):  # what has no size is refused, for that
        return False


def _calls(contraction: Contraction, plan: Decision) -> Amount:
    """Return how many products the engine computes for one convolution."""
    if isinstance(plan, VectorPlan) or not isinstance(plan, TilePlan):
        return 0
    if isinstance(plan, SplitPlan):
        return pieces_of(contraction, plan)
    count: Amount = Unknown("M is known only at run time") if plan.products is None else plan.products
    return product([count, amount_of("the batch", contraction.size.batch)])


def _cost(
    option: str, choice: str, judged: Sequence[_Judged], form: Form | None, lowered: Lowered
) -> ConvolutionCost:  # fmt: skip
    """Return what becomes of convolutions. `form`: that of tiles; without it, there are none."""
    written = {} if form is None else nodes_of_calls(lowered.model, form, lowered.options.weights)
    done = [(each.product, each.decision) for each in judged if isinstance(each.decision, TilePlan)]
    nodes: int | None = None
    if written is not None:
        nodes = len(judged) - len(done) + sum(
            plan.nodes if isinstance(plan, SplitPlan)
            else sum(written.get(node, 1) for node in lowered.plan.became(each.node))
            for each, plan in done
        )  # fmt: skip
    pads = lowered.options.pad_tiles or (form is not None and form.pads)
    uses = [
        EngineUse.of(
            each.size, plan.tile, pads and not isinstance(plan, SplitPlan), lowered.options.limits.multiples(each)
        )
        for each, plan in done if not isinstance(plan, VectorPlan)
    ]  # fmt: skip
    return ConvolutionCost(
        option, choice, None if form is None else form.name, len(judged),
        sum(isinstance(each.decision, Refusal) for each in judged), nodes,
        total(each.calls for each in judged), total(use.padded_macs for use in uses),
    )  # fmt: skip
