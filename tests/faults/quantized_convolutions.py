"""Faults in what convolutions of bytes were written out as."""

from __future__ import annotations

import numpy as np

from tests.faults.cases import Case, integers, numbers, text
from tests.faults.fault import Fault
from tests.faults.written import both, bypassed, constant, exchange, plus

QLINEAR = Case(
    "QLinearConv",
    text(
        """g (uint8[1,4,5,5] x) => (uint8[1,6,5,5] y) {
        [conv] y = QLinearConv <pads: ints = [1, 1, 1, 1], group: int = 2> (x, xs, xz, w, ws, wz, ys, yz, b) }""",
        w=integers(6, 2, 3, 3), xs=np.float32(0.02), xz=np.uint8(121), ws=np.abs(numbers(6, seed=3)) / 50,
        wz=integers(6, seed=2), ys=np.float32(0.35), yz=np.uint8(140), b=np.arange(6, dtype=np.int32) * 999,
    ),
    max=(8, 9, 4),
)  # fmt: skip
INTEGER = Case(
    "ConvInteger",
    text(
        """g (uint8[1,3,6,6] x) => (int32[1,4,3,4] y) {
        [conv] y = ConvInteger <pads: ints = [1, 0, 1, 0], strides: ints = [2, 1], dilations: ints = [1, 2]>
            (x, w, xz) }""",
        w=integers(4, 3, 3, 2), xz=np.uint8(121),
    ),
    {"form": "batched"},
    max=(8, 9, 4),
)  # fmt: skip
CONV = ("conv",)
FAULTS = [
    Fault("bytes are padded with 0", QLINEAR, constant("conv/x_pad", np.zeros_like), CONV),
    Fault("a convolution's zero point of x is dropped", QLINEAR, bypassed("conv/less_a"), CONV),
    Fault("a convolution's zero points of w are dropped", QLINEAR, bypassed("conv/less_b"), CONV),
    Fault("a filter's zero point is off by one", QLINEAR, constant("conv/b_share_right", plus(1)), CONV),
    Fault("two filters' scales change places", QLINEAR,
          constant("conv/scaled_right", lambda a: a[:, :, [1, 0, 2]]), CONV),
    Fault("an integer bias is lost", QLINEAR, bypassed("conv/biased"), CONV),
    Fault("the padding of bytes is off by one", INTEGER,
          constant("conv/x_padded_pads", plus(0, 0, 1, 0, 0, 0, -1, 0)), CONV),
    Fault("taps of bytes are exchanged", INTEGER,
          both(*(exchange("conv/x_axis1_tap0", "conv/x_axis1_tap1", index) for index in (1, 2))), CONV),
    Fault("filters are laid out as positions", INTEGER, bypassed("conv/y_channels_first"), CONV),
]  # fmt: skip
