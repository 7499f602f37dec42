"""Leaves out the arithmetic of big products while a run is recorded: only the shapes of their results matter.

A convolution or a matrix product of what comes of the inputs and a parameter isn't computed: zeros of its shape stand
for the result. Where the network asks for a number that comes of them, to choose what it does next (an element, the
places that aren't 0, a mask, a list), or writes such numbers to a parameter or a buffer, that isn't right any more:
NeedsNumbers is raised before they're read or written, and the network is to be run again with everything computed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

_READS = ("tolist", "numpy", "data_ptr", "__dlpack__", "__reduce_ex__", "__deepcopy__")
"""Methods of tensors that read numbers without calling an operator."""
_BY_MASK = ("aten::index", "aten::index_put", "aten::_index_put_impl_")
"""Operators whose results depend on numbers only where an index is a mask."""


class NeedsNumbers(BaseException):  # no error; a network that catches all errors mustn't catch it
    """What the network does depends on numbers that weren't computed."""


class WatchingError(BaseException):  # the same
    """Watching the network failed, at an operator or module that the words name; the network itself didn't."""


def reads_numbers(func: torch._ops.OpOverload) -> bool:
    """Whether shapes of the operator's results, or what Python gets, depend on numbers; unknown operators may."""
    tags = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
    return func.namespace not in ("aten", "prim", "prims") or bool(tags.intersection(func.tags))


def is_read(func: torch._ops.OpOverload, args: Sequence[Any]) -> bool:
    """Whether an operator that may read numbers does: by indices it doesn't, by masks it does."""
    if func._schema.name not in _BY_MASK:
        return True
    indices = args[1] if len(args) > 1 else ()
    return any(isinstance(each, torch.Tensor) and each.dtype in (torch.bool, torch.uint8) for each in indices)


def written(func: torch._ops.OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The tensors that an operator changes; batch norms in training mode change their statistics, unsaid."""
    if func._schema.name == "aten::native_batch_norm":
        found = [*args[3:5]] if args[5] else []
    else:
        marks = {each.name for each in func._schema.arguments if each.alias_info and each.alias_info.is_write}
        named = zip([each.name for each in func._schema.arguments], args, strict=False)
        found = [given for name, given in (*named, *kwargs.items()) if name in marks]
    return [each for each in found if isinstance(each, torch.Tensor)]


@contextlib.contextmanager
def watched(refuse: Callable[[torch.Tensor], None]) -> Iterator[None]:
    """Methods by which Python reads numbers in this thread ask first; `refuse` raises NeedsNumbers where it must."""
    thread = threading.get_ident()

    def watching(method: Callable[..., Any]) -> Callable[..., Any]:
        def ask(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == thread:
                refuse(tensor)
            return method(tensor, *args, **kwargs)

        return ask

    own = {name: torch.Tensor.__dict__.get(name) for name in _READS}
    for name in _READS:
        setattr(torch.Tensor, name, watching(getattr(torch.Tensor, name)))
    try:
        yield
    finally:
        for name, method in own.items():
            if method is None:
                delattr(torch.Tensor, name)
            else:
                setattr(torch.Tensor, name, method)


def _addmm(bias: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor | None:
    if bias.dim() != 1 or bias.shape[0] != right.shape[-1] or bias.dtype != left.dtype:
        return None
    return _mm(left, right)


def _mm(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor | None:
    if left.dim() != 2 or right.dim() != 2 or left.shape[1] != right.shape[0] or left.dtype != right.dtype:
        return None
    return left.new_zeros((left.shape[0], right.shape[1]))


def _convolution(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, strides: list[int], pads: list[int],
    dilations: list[int], transposed: bool, more: list[int], groups: int,
) -> torch.Tensor | None:  # fmt: skip
    axes = x.dim() - 2
    if transposed or axes < 1 or weight.dim() != axes + 2 or x.shape[1] != weight.shape[1] * groups:
        return None
    if x.dtype != weight.dtype or not (x.is_contiguous() and weight.is_contiguous()):
        return None  # whoever has other layouts wants them in the result
    if not len(strides) == len(pads) == len(dilations) == axes or (
        bias is not None and (bias.shape != weight.shape[:1] or bias.dtype != x.dtype)
    ):
        return None
    windows = [
        (length + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for length, kernel, stride, pad, dilation in zip(
            x.shape[2:], weight.shape[2:], strides, pads, dilations, strict=True
        )
    ]
    return x.new_zeros((x.shape[0], weight.shape[0], *windows)) if min(windows) > 0 else None


STAND_INS: dict[str, tuple[int, int, Callable[..., torch.Tensor | None]]] = {
    "aten.convolution": (0, 1, _convolution),
    "aten.addmm": (1, 2, _addmm),
    "aten.mm": (0, 1, _mm),
}
"""For operators the places of what is multiplied, and what makes the result; None where torch itself had better."""
