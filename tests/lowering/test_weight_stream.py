"""Weights beside the model: on request and above 2 GB, aligned, never over another file, always a loadable pair."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.errors import UsageError
from tests.support import parse, whole

F32 = np.dtype(np.float32)
LIMITS = (16, 32, 32)


def model(seed: int = 1) -> onnx.ModelProto:
    return parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[8,64] x, int64[3] i) => (float[8,96] y, float[3,80] z) { y = MatMul (x, w)  z = Gather (t, i) }""",
        w=whole([64, 96], F32, seed),
        t=whole([50, 80], F32, seed + 1),
    )


@pytest.mark.parametrize("align", [0, 2, 6, -4])
def test_a_bad_alignment_is_refused(align: int) -> None:
    with pytest.raises(UsageError, match=f"alignment is {align}: give a multiple of 4 bytes"):
        onnxtile.lower(model(), LIMITS, align_data=align)
