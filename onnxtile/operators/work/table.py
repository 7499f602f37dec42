"""The table: every operator that onnx or onnxruntime has, and its work."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from onnxtile.operators.table import TABLE, Operator
from onnxtile.operators.work import (
    attention,
    elementwise,
    generated,
    learning,
    movement,
    opaque,
    quantization,
    randomness,
    recurrent,
    resampling,
)
from onnxtile.operators.work import matmul as products
from onnxtile.operators.work import moe as experts
from onnxtile.operators.work import normalization as normalizations
from onnxtile.operators.work import pooling as pools
from onnxtile.operators.work import reduction as reductions
from onnxtile.operators.work.work import Work, all_unknown

_FILES: tuple[ModuleType, ...] = (
    elementwise,
    reductions,
    normalizations,
    pools,
    resampling,
    movement,
    randomness,
    generated,
    quantization,
    products,
    recurrent,
    attention,
    experts,
    learning,
    opaque,
)
_DOMAINS = {
    "ONNX": "",
    "MICROSOFT": "com.microsoft",
    "ML": "ai.onnx.ml",
    "PREVIEW": "ai.onnx.preview",
    "TRAINING": "ai.onnx.preview.training",
    "NHWC": "com.ms.internal.nhwc",
    "NCHWC": "com.microsoft.nchwc",
}
"""What files call their lines of each domain."""


def _lines() -> dict[Operator, Work]:
    found: dict[Operator, Work] = {}
    for file in _FILES:
        for name, domain in _DOMAINS.items():
            own: Mapping[str, Work] = getattr(file, name, {})
            for op, work in own.items():
                assert (domain, op) not in found, f"{op} of {domain!r} has two lines"
                found[domain, op] = work
    # whose products can't be sized, for reasons of their own, can't be counted beside them either
    unsized = {key: entry.reason for key, entry in TABLE.items() if entry.sizes is None and key not in found}
    return found | {key: all_unknown(f"it {reason}") for key, reason in unsized.items()}


OPERATORS: dict[Operator, Work] = _lines()
