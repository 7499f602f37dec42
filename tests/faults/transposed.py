"""Faults in what ConvTranspose was written out as."""

from __future__ import annotations

import numpy as np

from tests.faults.cases import HEAD, Case, numbers, text
from tests.faults.fault import Fault
from tests.faults.written import attribute, both, bypassed, constant, exchange, plus, reads, swap_inputs
from tests.support import parse

BY_COL2IM = Case(
    "ConvTranspose",
    text(
        """g (float[1,6,3,3] x) => (float[1,4,7,6] y) {
        [up] y = ConvTranspose <strides: ints = [2, 2], pads: ints = [1, 1, 0, 1], output_padding: ints = [1, 1],
            group: int = 2> (x, w, c) }""",
        w=numbers(6, 2, 3, 3), c=numbers(4, seed=2),
    ),
    max=(4, 2, 18),
)  # fmt: skip
BATCHED = Case(BY_COL2IM.name, BY_COL2IM.build, {"form": "batched"}, BY_COL2IM.max)
BY_TAPS = Case(
    "ConvTranspose without Col2Im",
    lambda: parse(
        HEAD.replace('"" : 20', '"" : 17')
        + """g (float[1,6,3,3] x) => (float[1,2,7,11] y) {
        [up] y = ConvTranspose <strides: ints = [2, 3], dilations: ints = [1, 2]> (x, w, c) }""",
        w=numbers(6, 2, 3, 3), c=numbers(2, seed=2),
    ),
    max=(16, 3, 32),
)  # fmt: skip
SIDE_BY_SIDE = Case(
    "ConvTranspose without overlap",
    text(
        "g (float[1,6,3,3] x) => (float[1,2,6,6] y) { [up] y = ConvTranspose <strides: ints = [2, 2]> (x, w, c) }",
        w=numbers(6, 2, 2, 2), c=numbers(2, seed=2),
    ),
    max=(16, 3, 32),
)  # fmt: skip


def flipped(tile: np.ndarray) -> np.ndarray:
    """Kernels, the columns of which are filters x 3 x 3, from their last element to their first."""
    return tile.reshape(*tile.shape[:-1], -1, 9)[..., ::-1].reshape(tile.shape)


UP = ("up",)
FAULTS = [
    Fault("a kernel is flipped", BY_COL2IM, constant("up/weight/k0_n0", flipped), UP),
    Fault("strides and dilations change places", BY_COL2IM,
          attribute("up/overlapped", strides=[1, 1], dilations=[2, 2]), UP),
    Fault("the other end is cropped", BY_COL2IM, constant("up/cropped_pads", plus(0, 0, 1, 0, 0, 0, -1, 0)), UP),
    Fault("output_padding stands in front", BY_COL2IM, constant("up/cropped_pads", plus(0, 0, 1, 1, 0, 0, -1, -1)), UP),
    Fault("a transposed convolution's bias is lost", BY_COL2IM, bypassed("up/biased"), UP),
    Fault("groups are mixed", BY_COL2IM,
          both(constant("up/groups_shape", lambda a: a[[0, 2, 1]]), attribute("up/grouped", perm=[2, 0, 1])), UP),
    Fault("positions are mixed", BATCHED, attribute("up/channels_last", perm=[0, 3, 2, 1]), UP),
    Fault("the transposed convolution's sum over k becomes a mean", BATCHED,
          constant("up/weight/tiles", lambda a: a / 2), UP),
    Fault("a tap isn't moved", BY_TAPS, constant("up/axis0_tap2_moved_pads", lambda a: np.roll(a, len(a) // 2)), UP),
    Fault("a tap is missing", BY_TAPS, bypassed("up/axis0_phase0_0"), UP),
    Fault("a tap is swapped with another", BY_TAPS,
          both(*(exchange("up/axis0_tap0", "up/axis0_tap2", index) for index in (1, 2))), UP),
    Fault("two phases change places", BY_TAPS, swap_inputs("up/axis0_phases"), UP),
    Fault("a phase is read twice", BY_TAPS, reads("up/axis1_phases", 2, "up/axis1_tap2_moved"), UP),
    Fault("rows aren't interleaved with taps", SIDE_BY_SIDE, bypassed("up/paired"), UP),
    Fault("positions of a row aren't interleaved with taps", SIDE_BY_SIDE, bypassed("up/last_paired"), UP),
]  # fmt: skip
