"""Recurrent nodes as their attributes and inputs have them: RNN, LSTM, GRU, DynamicQuantizeLSTM."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import read_array
from onnxtile.ir.attributes import attribute_float, attribute_int, attribute_string, input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.recurrent import steps_first
from onnxtile.operators.sizes import read_size
from onnxtile.passes.rewrites.activations import THRESHOLDED_FROM
from onnxtile.tiling.legality import Refusal

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4, "DynamicQuantizeLSTM": 4}
DEFAULT = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Of each direction, whether steps run backwards."""
Defaults = tuple[float | None, ...]
FUNCTIONS: dict[str, Defaults] = {
    "Relu": (), "Tanh": (), "Sigmoid": (), "Softsign": (), "Softplus": (), "LeakyRelu": (0.01,), "Elu": (1.0,),
    "ThresholdedRelu": (None,), "HardSigmoid": (0.2, 0.5), "Affine": (None, None), "ScaledTanh": (None, None),
}  # fmt: skip
"""The activations that ONNX names, and alpha and beta where they aren't given; None: onnxruntime's isn't ONNX's."""
COMMON = {"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "layout"}
ATTRIBUTES = {
    "RNN": COMMON, "GRU": COMMON | {"linear_before_reset"}, "LSTM": COMMON | {"input_forget"},
    "DynamicQuantizeLSTM": COMMON - {"layout"} | {"input_forget"},
}  # fmt: skip


@dataclass(frozen=True)
class Activation:
    """A function of a gate, and its alpha and beta where it has them."""

    name: str
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class Recurrent:
    """A node's sizes and attributes. `backwards`: of each direction, whether its steps run so.

    `activations`: of each direction. `clip`: what bounds what goes into them, from both sides.
    """

    node: ir.Node
    backwards: tuple[bool, ...]
    activations: tuple[tuple[Activation, ...], ...]
    steps: Dim
    batch: Dim
    width: Dim
    hidden: int
    clip: float | None
    batch_first: bool

    @property
    def kind(self) -> str:
        return self.node.op_type.removeprefix("DynamicQuantize")

    @property
    def gates(self) -> int:
        return GATES[self.node.op_type]

    @property
    def dims(self) -> tuple[Dim, Dim, Dim]:
        return self.steps, self.batch, self.width

    def input(self, index: int) -> ir.Value | None:
        return input_of(self.node, index)

    def flag(self, name: str) -> bool:
        return bool(attribute_int(self.node, name, 0))

    @property
    def empty(self) -> bool:
        """Return whether what it gives has no elements, or it has no steps."""
        return 0 in (self.steps, self.batch, self.hidden)


def recurrent_of(product: Contraction) -> Recurrent | Refusal:
    """Return what the node of a product is, whose sizes are known, or why it can't be written out."""
    node = product.node
    for name in sorted(node.attributes.keys() - ATTRIBUTES[node.op_type]):
        return Refusal("attribute", f"{node.op_type} has no attribute {name!r}; remove it")
    direction = attribute_string(node, "direction", "forward")
    if direction not in DIRECTIONS:
        return Refusal("attribute", f"direction is {direction!r}; it must be one of {', '.join(DIRECTIONS)}")
    backwards = DIRECTIONS[direction]
    activations = _activations(node, len(backwards))
    if isinstance(activations, Refusal):
        return activations
    clip = attribute_float(node, "clip", 0.0) if "clip" in node.attributes else None
    if clip is not None and not (0 < clip < math.inf):
        return Refusal("attribute", f"clip is {clip:g}, which bounds nothing; give it a positive number, or remove it")
    layout = attribute_int(node, "layout", 0)
    if layout not in (0, 1):
        return Refusal("attribute", f"layout is {layout}; it must be 0 or 1")
    weight, state = (input_of(node, index) for index in (1, 2))
    if weight is None or state is None or weight.shape is None or state.shape is None:
        return Refusal("unknown-shape", "the shapes of W and R aren't known")
    steps, batch, width = steps_first(node)
    if not isinstance(width, int):
        width = read_size(weight.shape[1 if node.domain else 2])
    hidden = read_size(state.shape[1 if node.domain else 2])
    if not isinstance(hidden, int):
        hidden = attribute_int(node, "hidden_size", 0)
    per_direction = len(DEFAULT[node.op_type.removeprefix("DynamicQuantize")])
    grouped = tuple(tuple(activations[at : at + per_direction]) for at in range(0, len(activations), per_direction))
    recurrent = Recurrent(node, backwards, grouped, steps, batch, width, hidden, clip, bool(layout))
    return next(_contradictions(recurrent), None) or recurrent


def _activations(node: ir.Node, directions: int) -> list[Activation] | Refusal:
    """Return the activations of all directions; alphas and betas go to those that have some, in their order."""
    default = DEFAULT[node.op_type.removeprefix("DynamicQuantize")]
    named = node.attributes.get("activations")
    names = list(default) * directions if named is None or not named.as_strings() else list(named.as_strings())
    if len(names) != len(default) * directions:
        words = f"it names {len(names)} activations, not {len(default)} for each of {directions} directions"
        return Refusal("activation", f"{words}; name as many")
    numbers = {name: _floats(node, name) for name in ("activation_alpha", "activation_beta")}
    canonical = {name.lower(): name for name in FUNCTIONS}
    activations = []
    for name in names:
        own = canonical.get(name.lower())
        if own is None:
            return Refusal("activation", f"activation {name!r} is unknown; take one of {', '.join(FUNCTIONS)}")
        parameters = []
        for (attribute, waiting), default_number in zip(numbers.items(), FUNCTIONS[own], strict=False):
            number = waiting.pop(0) if waiting else default_number
            if number is None:
                return Refusal("activation", f"{own} without {attribute}, of which engines take another each; give it")
            parameters.append(float(np.float32(number)))
        activations.append(Activation(own, tuple(parameters)))
    for attribute, waiting in numbers.items():
        if waiting:
            words = f"{attribute} has {len(waiting)} numbers more than activations take, and engines differ in who does"
            return Refusal("activation", f"{words}; give one for each that takes one")
    return activations


def _floats(node: ir.Node, name: str) -> list[float]:
    attribute = node.attributes.get(name)
    return [] if attribute is None else list(attribute.as_floats())


def _contradictions(of: Recurrent) -> Iterator[Refusal]:
    """Yield how inputs contradict X, W and R."""
    directions, hidden, batch = len(of.backwards), of.hidden, of.batch
    weight = of.input(1)
    assert weight is not None and weight.shape is not None
    if weight.shape[0] != directions:
        words = f"W has {weight.shape[0]} directions, and direction says {directions}"
        yield Refusal("shape", f"{words}; make both the same")
    states: list[Dim] = [batch, directions, hidden] if of.batch_first else [directions, batch, hidden]
    wanted: list[tuple[int, str, Sequence[Dim]]] = [
        (3, "B", [directions, 2 * of.gates * hidden]), (4, "sequence_lens", [batch]), (5, "initial_h", states)
    ]  # fmt: skip
    if of.kind == "LSTM":
        wanted += [(6, "initial_c", states), (7, "P", [directions, 3 * hidden])]
    for index, name, dims in wanted:
        value = of.input(index)
        if value is None or value.shape is None:
            continue
        pairs = list(zip(value.shape, dims, strict=False))
        unlike = any(isinstance(one, int) and isinstance(other, int) and one != other for one, other in pairs)
        if len(value.shape) != len(dims) or unlike:
            shape = ", ".join(map(str, value.shape))
            yield Refusal("shape", f"{name} has shape [{shape}], not [{', '.join(map(str, dims))}]; mend the model")


def length_refusals(of: Recurrent, model: ir.Model, opset: int) -> Iterator[Refusal]:
    """Yield why the lengths of sequences can't be heeded."""
    value = of.input(4)
    if value is None:
        return
    tensor = constant_tensor(value, declared_ir_version(model))
    lengths = None if tensor is None else read_array(tensor)
    if lengths is not None and lengths.size and isinstance(of.steps, int):
        for bad in (int(lengths.max()), int(lengths.min())):
            if not 0 <= bad <= of.steps:
                words = f"sequence_lens has {bad}, and there are {of.steps} steps"
                yield Refusal("sequence-lens", f"{words}; give lengths from 0 to that")
    if opset < WHERE_FROM:
        yield Refusal("opset", f"opset {opset} has no Where, which sequence_lens needs; convert to {WHERE_FROM}")
    if opset < RANGE_FROM and not isinstance(of.steps, int):
        words = f"opset {opset} has no Range, which sequence_lens with {of.steps} steps needs"
        yield Refusal("opset", f"{words}; bind it, or convert to {RANGE_FROM}")


WHERE_FROM, RANGE_FROM = 9, 11
"""Versions of the default operator set that brought Where and Range."""


def activation_refusals(of: Recurrent, opset: int) -> Iterator[Refusal]:
    """Yield why an activation can't be written out in this opset."""
    if opset < THRESHOLDED_FROM and any(own.name == "ThresholdedRelu" for own in sum(of.activations, ())):
        yield Refusal("opset", f"opset {opset} has no ThresholdedRelu; convert to {THRESHOLDED_FROM} or newer")
