"""Show how far rounding may move what a network of torch gives: it runs with every operator moved by its own bound.

What `verification/roundoff.py` does to a graph of ONNX is done here to operators as torch calls them. Another engine
that computes the same in float arithmetic, in any order of summation, differs by no more than that to first order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from onnxtile.verification.roundoff import EXTRA, gamma

UNIT = {torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8, torch.float32: 2.0**-24, torch.float64: 2.0**-53}
"""Unit round-off: half the distance from 1 to the next number."""
ULPS = 8
"""Roundings granted to a function such as exp, each engine having its own polynomial: they promise 1 to 4."""
RoundingBound = Callable[[Any, Sequence[Any], Mapping[str, Any], Any], Any]
"""By how much two engines may differ in a function, given its arguments and what it gave."""

EXACT = frozenset(
    word
    for words in (
        "relu relu6 hardtanh clamp clamp_min clamp_max neg abs maximum minimum where masked_fill floor ceil round",
        "trunc sign leaky_relu threshold dropout native_dropout",
        "_to_copy to copy clone contiguous cat stack embedding gather index index_select index_put scatter",
        "masked_scatter slice_scatter select_scatter repeat flip roll tril triu one_hot",
        "constant_pad_nd reflection_pad2d replication_pad2d upsample_nearest2d",
        "max_pool1d max_pool2d max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d",
        "max min amax amin argmax argmin topk sort nonzero",
        "fill zero zeros ones full empty arange scalar_tensor lift_fresh_copy",
        "zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty",
        "_unsafe_view unsafe_split unsafe_split_with_sizes unsafe_chunk",
        "transpose t squeeze unsqueeze swapaxes as_strided",
    )
    for word in words.split(" ")
)
"""Operators that choose among their inputs, or round in the one way that IEEE 754 allows."""
SATURATING = frozenset(
    ["sigmoid", "tanh", "erf", "erfc", "hardsigmoid", "elu", "selu", "softplus", "expm1", "log1p", "sin", "cos"]
)
"""Functions that are near 0 by the difference of numbers near 1: right to so many roundings of 1."""
GATED = {"gelu", "silu", "mish", "hardswish", "log_sigmoid_forward"}
"""Inputs times such functions."""
SUMS = frozenset(
    ["sum", "mean", "cumsum", "avg_pool1d", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"]
)
PRODUCTS = frozenset(["mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "linear", "convolution", "_convolution"])


class MovedByRounding(TorchDispatchMode):
    """Moves each element that an operator gives by its whole bound, up or down.

    The sign is that of phase * cos(phase * (y + 1)): as good as random, and a tiny phase gives all of them its own.
    `unknown` names operators whose bounds aren't known: nothing can be said of the run then.
    """

    def __init__(self, phase: float) -> None:
        super().__init__()
        self.unknown: dict[str, None] = {}
        self._phase = phase

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__.rstrip("_")
        is_view = any(value.alias_info is not None and not value.alias_info.is_write for value in func._schema.returns)
        before = args
        if not is_view and name not in EXACT and func._schema.is_mutable:
            before = [arg.clone() if isinstance(arg, torch.Tensor) else arg for arg in args]
        results = func(*args, **kwargs)
        if is_view or name in EXACT:
            return results
        first = results[0] if isinstance(results, (tuple, list)) else results
        if isinstance(first, torch.Tensor) and first.dtype in UNIT:
            bound = _bound(name, func, before, kwargs, results)
            if bound is None:
                self.unknown[name] = None  # not raised: TorchScript would wrap it beyond recognition
                return results
            bound = torch.where(first.isfinite(), bound, 0)  # infinity stays: a mask is no sum
            turned = torch.cos(self._phase * (first.double() + 1)) * self._phase
            first.add_((torch.sign(turned) * bound).to(first.dtype))
        return results


def _bound(name: str, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> Any:
    if name in PRODUCTS:
        return _product(name, func, args, kwargs, results)
    if name in SUMS:
        count = max(1, args[0].numel() // max(1, results.numel())) if name != "cumsum" else args[0].shape[args[1]]
        return 2 * gamma(count + EXTRA, UNIT[results.dtype]) * func(args[0].abs(), *args[1:], **kwargs)
    if name in BOUNDS:
        return BOUNDS[name](func, args, kwargs, results)
    unit = 2 * ULPS * UNIT[results.dtype] if isinstance(results, torch.Tensor) else 0.0
    if name in SATURATING:
        return unit * results.abs().clamp(min=1)
    if name in GATED:
        return unit * args[0].abs()
    if torch.Tag.pointwise in func.tags:
        return unit * results.abs()
    return None


def _product(name: str, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> Any:
    """Bound by 2 gamma |A||B| (and |C|), which the same operator computes."""
    tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
    if "convolution" in name:
        weight, transposed, groups = args[1], args[6], args[8]
        terms = weight.numel() // weight.shape[0] if not transposed else weight.numel() // weight.shape[1] // groups
    else:
        terms = tensors[-1 if name == "linear" and len(tensors) == 2 else -2].shape[-1]
    if UNIT[result.dtype] > UNIT[torch.float32]:  # summed in float32, and rounded at most twice
        factor = gamma(terms + EXTRA, UNIT[torch.float32]) + gamma(2 + EXTRA, UNIT[result.dtype])
    else:
        factor = gamma(terms + EXTRA, UNIT[result.dtype])
    magnitudes = [arg.abs() if isinstance(arg, torch.Tensor) else arg for arg in args]
    factors = {key: abs(value) if isinstance(value, (int, float)) else value for key, value in kwargs.items()}
    return 2 * factor * func(*magnitudes, **factors).abs()


def _softmax(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> Any:
    """Bound by the rounding of x - max, a relative error of its exponential, and that of the sum, one a term."""
    x, axis = args[0], args[1]
    distance = x.amax(axis, keepdim=True) - x
    scale = result if "log" not in func.overloadpacket.__name__ else 1 + result.abs()
    spread = torch.nan_to_num(distance, posinf=0.0)  # what is masked out is 0 in any arithmetic
    return 2 * UNIT[result.dtype] * (spread + x.shape[axis] + ULPS) * torch.nan_to_num(scale, neginf=0.0)


def _batch_norm(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> Any:
    """Bound by the same operator of |x|, |mean|, |weight| and |bias|."""
    x, weight, bias, mean, *rest = args
    magnitudes = [None if value is None else value.abs() for value in (x, weight, bias)]
    return 2 * ULPS * UNIT[x.dtype] * func(*magnitudes, -mean.abs(), *rest, **kwargs)[0]


def _norm(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> Any:
    """Bound layer and group norm. A variance computed as E[x^2] - E[x]^2 loses (mean / deviation)^2 of its digits."""
    x, mean, scale = args[0], results[1], results[2]
    if func.overloadpacket.__name__ == "native_layer_norm":
        weight, bias, count = args[2], args[3], math.prod(args[1])
        rows = x.reshape(-1, count)
        shape: list[int] = list(args[1])
    else:
        weight, bias, groups = args[1], args[2], args[6]
        rows = x.reshape(x.shape[0] * groups, -1)
        count, shape = rows.shape[1], [-1, *[1] * (x.dim() - 2)]
    mean, scale = mean.reshape(-1, 1), scale.reshape(-1, 1)
    size = (rows.abs() + rows.abs().mean(1, keepdim=True)) * scale * (1 + (mean * scale) ** 2)
    size = size.reshape(x.shape)
    if weight is not None:
        size = size * weight.abs().reshape(shape)
    shift = 0 if bias is None else ULPS * UNIT[x.dtype] * bias.abs().reshape(shape)
    return 2 * (gamma(count + ULPS, UNIT[x.dtype]) * size + shift)


BOUNDS: dict[str, RoundingBound] = {
    "_softmax": _softmax, "_log_softmax": _softmax, "_safe_softmax": _softmax,
    "native_batch_norm": _batch_norm, "_native_batch_norm_legit_no_training": _batch_norm,
    "native_layer_norm": _norm, "native_group_norm": _norm,
}  # fmt: skip
