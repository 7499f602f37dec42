"""Faults in what Conv was written out as."""

from __future__ import annotations

import numpy as np

from tests.faults.cases import Case, numbers, text
from tests.faults.fault import Fault
from tests.faults.written import attribute, both, bypassed, constant, exchange, plus, reads, swap_inputs

BODY = """g (float[1,4,7,6] x) => (float[1,6,3,4] y) {
    [conv] y = Conv <pads: ints = [1, 1, 0, 1], strides: ints = [2, 1], dilations: ints = [1, 2], group: int = 2>
        (x, w, c) }"""
GROUPED = Case("Conv", text(BODY, w=numbers(6, 2, 3, 3), c=numbers(6, seed=2)), max=(8, 9, 4))
BATCHED = Case("Conv", GROUPED.build, {"form": "batched"}, GROUPED.max)
TWO_IMAGES = Case(
    "Conv of two images",
    text(BODY.replace("[1,", "[2,"), w=numbers(6, 2, 3, 3), c=numbers(6, seed=2)), {"form": "batched"}, GROUPED.max,
)  # fmt: skip
SAME = Case(
    "Conv with auto_pad",
    text(
        """g (float[1,3,h,w] x) => (float[1,4,oh,ow] y) {
        [conv] y = Conv <auto_pad: string = "SAME_LOWER", strides: ints = [2, 2]> (x, k) }""",
        k=numbers(4, 3, 2, 3),
    ),
    {"form": "batched"},
    max=(8, 9, 2),
)  # fmt: skip
DEPTHWISE = Case(
    "depthwise Conv",
    text(
        """g (float[1,4,6,6] x) => (float[1,4,6,6] y) {
        [conv] y = Conv <pads: ints = [1, 1, 1, 1], group: int = 4> (x, w, c) }""",
        w=numbers(4, 1, 3, 3), c=numbers(4, seed=2),
    ),
)  # fmt: skip
SPLIT = Case(
    "grouped Conv",
    text(
        """g (float[1,6,7,6] x) => (float[1,6,7,3] y) {
        [conv] y = Conv <pads: ints = [0, 0, 1, 1], strides: ints = [1, 2], dilations: ints = [1, 2], group: int = 2>
            (x, w, c) }""",
        w=numbers(6, 3, 2, 2), c=numbers(6, seed=2),
    ),
    {"conv": "split"},
    max=(9, 8, 2),
)  # fmt: skip


CONV = ("conv",)
PIECE = "conv/b0_p0_p0_g0"
"""The pieces of a split convolution's first positions and group."""
FAULTS = [
    Fault("a convolution's padding is at the other end", GROUPED,
          constant("conv/x_padded_pads", plus(0, 0, -1, 0, 0, 0, 1, 0)), CONV),
    Fault("two taps change places", GROUPED,
          both(*(exchange("conv/x_axis0_tap0", "conv/x_axis0_tap2", index) for index in (1, 2))), CONV),
    Fault("a dilation is lost", BATCHED,
          both(*(constant(f"conv/x_axis1_tap1_{end}", plus(by)) for end, by in (("start", -1), ("end", -1)))), CONV),
    Fault("a window begins one element late", BATCHED,
          both(*(constant(f"conv/x_axis1_tap0_{end}", plus(1)) for end in ("start", "end"))), CONV),
    Fault("a tap is read twice", BATCHED, reads("conv/x_axis0", 1, "conv/x_axis0_tap2"), CONV),
    Fault("channels of different groups are mixed", BATCHED,
          attribute("conv/x_channels_last", perm=[2, 0, 3, 4, 1]), CONV),
    Fault("filters of different groups are mixed", TWO_IMAGES,
          attribute("conv/y_by_group", perm=[1, 4, 0, 2, 3]), CONV),
    Fault("filters of an image's groups are mixed", BATCHED, attribute("conv/padded", perm=[2, 0, 1]), CONV),
    Fault("output rows and columns change places", TWO_IMAGES,
          both(constant("conv/y_spread_shape", lambda a: a[[0, 1, 3, 2, 4]]),
               attribute("conv/y_by_group", perm=[1, 0, 4, 3, 2])), CONV),
    Fault("a convolution's bias is lost", BATCHED, bypassed("conv/biased"), CONV),
    Fault("two filters' biases change places", BATCHED, constant("conv/bias", lambda a: a[[1, 0, 2, 3, 4, 5]]), CONV),
    Fault("channels and taps of a weight are in the wrong order", GROUPED,
          constant("conv/w_columns/k0_n0", lambda a: a[:, [1, 0, *range(2, 9)]]), CONV),
    Fault("the larger half of SAME_LOWER is behind", SAME, bypassed("conv/x_pads_plus_1"), CONV),
    Fault("SAME pads as if strides were one", SAME, constant("conv/x_pads_extents", plus(1, 0)), CONV),
    Fault("a depthwise tap has another's weights", DEPTHWISE, exchange("conv/y_tap0", "conv/y_tap8", 1), CONV),
    Fault("a depthwise tap is missing", DEPTHWISE, bypassed("conv/y_sum4"), CONV),
    Fault("a depthwise tap is one column off", DEPTHWISE,
          both(*(constant(f"conv/x_tap1_1_{end}", plus(by)) for end, by in (("start", -1), ("end", -1)))), CONV),
    Fault("a piece of a convolution begins one column early", SPLIT,
          both(reads("conv/x_piece20", 1, "conv/numbers_1"), reads("conv/x_piece20", 2, "conv/numbers_4")), CONV),
    Fault("a piece of positions reads another's", SPLIT, reads("conv/b0_p0_p1_g0_n0_k1", 0, "conv/x_piece5"), CONV),
    Fault("pieces of positions are joined in the wrong order", SPLIT, swap_inputs("y"), CONV),
    Fault("two groups of output channels change places", SPLIT, swap_inputs("conv/b0_p0_p1_groups"), CONV),
    Fault("a piece of input channels is left out", SPLIT, bypassed(f"{PIECE}_n0_sum1"), CONV),
    Fault("a piece has the other group's weights", SPLIT, reads(f"{PIECE}_n0_k0", 1, "conv/w_piece12"), CONV),
    Fault("a piece reads the other group's channels", SPLIT,
          reads("conv/b0_p0_p0_g1_n0_k1", 0, "conv/x_piece5"), CONV),
    Fault("a piece's weight is flipped", SPLIT, constant("conv/w_piece9", lambda a: a[:, :, ::-1]), CONV),
    Fault("two pieces' biases change places", SPLIT, exchange(f"{PIECE}_n1_k0", "conv/b0_p0_p0_g1_n1_k0", 2), CONV),
    Fault("the column of padding behind is in front", SPLIT,
          constant("conv/numbers_0_0_0_0_0_0_1_1", plus(0, 0, 0, 1, 0, 0, 0, -1)), CONV),
    Fault("channels' weights are turned by one", DEPTHWISE, constant("conv/w_tap3", lambda a: np.roll(a, 1, 1)), CONV),
]  # fmt: skip
