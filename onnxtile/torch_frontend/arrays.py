"""Turn tensors of torch into arrays of numpy, bit for bit."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import torch

from onnxtile.debugging.capture.element_types import NotATensorError

_LACKING = {
    torch.bfloat16: ml_dtypes.bfloat16,
    torch.float8_e4m3fn: ml_dtypes.float8_e4m3fn,
    torch.float8_e4m3fnuz: ml_dtypes.float8_e4m3fnuz,
    torch.float8_e5m2: ml_dtypes.float8_e5m2,
    torch.float8_e5m2fnuz: ml_dtypes.float8_e5m2fnuz,
    torch.float8_e8m0fnu: ml_dtypes.float8_e8m0fnu,
}
"""Types that numpy lacks."""
_BITS = {1: torch.uint8, 2: torch.uint16}
"""Types of so many bytes that numpy has."""


def array_of(value: object) -> np.ndarray:
    """Return a copy of a tensor as an array. Raises NotATensorError for what none can be made of."""
    if not isinstance(value, torch.Tensor):
        raise NotATensorError("is None" if value is None else f"is a {type(value).__name__}, not a tensor")
    if value.layout is not torch.strided or value.is_quantized or value.is_nested:
        kind = "quantized" if value.is_quantized else "nested" if value.is_nested else "sparse"
        raise NotATensorError(f"is a {kind} tensor, which no array is")
    if value.device.type == "meta":
        raise NotATensorError("is a tensor without numbers (device meta)")
    plain = value.detach().resolve_conj().resolve_neg().to("cpu", copy=True).contiguous()
    lacking = _LACKING.get(plain.dtype)
    if lacking is not None:
        return plain.view(_BITS[plain.element_size()]).numpy().view(lacking)
    try:
        array: np.ndarray = plain.numpy()
    except (TypeError, RuntimeError) as error:
        raise NotATensorError(f"is a tensor of {plain.dtype}, which numpy lacks") from error
    return array
