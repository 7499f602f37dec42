"""Mixtures of experts: every token goes through the two or three products of some experts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int, attribute_string
from onnxtile.operators.arithmetic import quotient
from onnxtile.operators.entry import Entry
from onnxtile.operators.sizes import Dim, Size, count_of, given, shape

UP, GATE, DOWN = "up", "gate", "down"


def experts(indices: Mapping[str, int], bits: Callable[[ir.Node, str], int]) -> Callable[[ir.Node], Mapping[str, Size]]:
    """MoE: input [..., hidden size] by weights of [experts, ...], for each of the `k` experts of a token.

    `indices`: where the weights are. `bits`: those of a number of a part's (8: as its shape says). How many tokens an
    expert gets is known only at run time: M is the most, all of them, and batch what each token goes through.
    """

    def sizes(node: ir.Node) -> Mapping[str, Size]:
        x, k = shape(node, 0, least=1), attribute_int(node, "k", 1)
        found = {}
        for part, index in indices.items():
            if given(node, index):
                other = _other_axis(node, shape(node, index, 3), x[-1], bits(node, part))
                row, column = (other, x[-1]) if part == DOWN else (x[-1], other)
                found[part] = Size(count_of(x[:-1]), row, column, k)
        return found

    return sizes


def _other_axis(node: ir.Node, weight: list[Dim], hidden: Dim, bits: int) -> Dim:
    """The axis of an expert's weight that isn't the hidden size, whichever is stored first and packed."""
    if any(not isinstance(dim, int) for dim in (*weight, hidden)):
        raise UnsizedError("the shape of its weights isn't known")
    numbers = count_of(weight[1:])
    assert isinstance(numbers, int)
    return quotient(node, "number of weights of an expert", numbers * 8 // bits, hidden)


def _whole_bytes(node: ir.Node, part: str) -> int:
    return 8


def _packed(node: ir.Node, part: str) -> int:
    """How many bits a number of QMoE takes, by its attributes."""
    kind = attribute_string(node, "quant_type", "int")
    if kind != "int":
        return 4 if "fp4" in kind else 8
    own = {UP: "fc1_expert_weight_bits", DOWN: "fc2_expert_weight_bits", GATE: "fc3_expert_weight_bits"}
    return attribute_int(node, own[part], 0) or attribute_int(node, "expert_weight_bits", 4)


_FORMULA = (
    f"{UP}, {GATE} (if any): M = tokens, K = hidden size, N = inner size; {DOWN}: M = tokens, K = inner size, "
    "N = hidden size; batch = experts a token goes through; M is the most that one expert may get"
)
ONNX: dict[str, Entry] = {}
MICROSOFT: dict[str, Entry] = {
    "MoEPacked": Entry("matmul", reason="can't be sized: its weights are in formats of their own"),
    "MoE": Entry("matmul", experts({UP: 2, GATE: 6, DOWN: 4}, _whole_bytes), _FORMULA),
    "QMoE": Entry("matmul", experts({UP: 2, GATE: 8, DOWN: 5}, _packed), _FORMULA),
}
