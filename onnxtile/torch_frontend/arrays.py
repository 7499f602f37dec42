"""Turn tensors of torch into arrays of numpy, bit for bit."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import torch

from onnxtile.debugging.capture.element_types import NotATensorError


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
    if plain.dtype.is_floating_point and plain.dtype.itemsize < 4 and plain.dtype is not torch.float16:
        dtype = getattr(ml_dtypes, str(plain.dtype).removeprefix("torch."), None)  # one that numpy lacks
        if dtype is not None:
            return plain.view(torch.uint8 if plain.itemsize == 1 else torch.uint16).numpy().view(dtype)
    try:
        array: np.ndarray = plain.numpy()
    except (TypeError, RuntimeError) as error:
        raise NotATensorError(f"is a tensor of {plain.dtype}, which numpy lacks") from error
    return array
