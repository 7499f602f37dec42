"""Leave out the arithmetic of big products while a run is recorded: only the shapes of their results matter.

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
    """The network asks for numbers that weren't computed."""


class WatchingError(BaseException):  # no more must it catch this
    """Watching the network failed, at an operator or module that the words name; the network itself didn't."""


def reads_numbers(func: torch._ops.OpOverload) -> bool:
    """Return whether shapes of an operator's results, or what Python gets, may depend on numbers."""
    tags = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
    return func.namespace not in ("aten", "prim", "prims") or bool(tags.intersection(func.tags))


def is_read(func: torch._ops.OpOverload, args: Sequence[Any]) -> bool:
    """Return whether an operator that may read numbers does: by masks it does, by indices it doesn't."""
    if func._schema.name not in _BY_MASK:
        return True
    indices = args[1] if len(args) > 1 else ()
    return any(isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)


def written(func: torch._ops.OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """Return the tensors that an operator changes; batch norms in training mode change their statistics, unsaid."""
    if func._schema.name == "aten::native_batch_norm":
        changed = [*args[3:5]] if args[5] else []
    else:
        arguments = func._schema.arguments
        marks = {argument.name for argument in arguments if argument.alias_info and argument.alias_info.is_write}
        by_position = zip([argument.name for argument in arguments], args, strict=False)
        changed = [value for name, value in (*by_position, *kwargs.items()) if name in marks]
    return [value for value in changed if isinstance(value, torch.Tensor)]


@contextlib.contextmanager
def reads_watched(refuse: Callable[[torch.Tensor], None]) -> Iterator[None]:
    """Have methods by which Python reads numbers in this thread call `refuse` first, which may raise NeedsNumbers.

    For that time they're replaced in torch.Tensor itself. A TorchFunctionMode would see calls of them without that, but
    it's off inside torch's own Python functions, which read numbers too: `tensordot` does for dimensions in a tensor.
    """
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
"""By operator, the positions of what is multiplied, and what makes the result: None where torch has to compute it."""
