"""Find the memory that a tensor is in, and its shape, whatever kind of tensor it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch

from onnxtile.torch_frontend.trace.calls import Unsized

_DENSE = (torch.strided, torch._mkldnn)
"""Layouts whose shapes say how many numbers there are."""


def shape_of(tensor: torch.Tensor) -> Sequence[int]:
    """Return a tensor's shape; Unsized where that says nothing of how many numbers are stored."""
    if tensor.is_nested:
        return Unsized("nested")
    if tensor.layout in _DENSE:
        return tensor.shape
    return Unsized(str(tensor.layout).removeprefix("torch."))


def key_of(tensor: torch.Tensor) -> int:
    """Return what tells a tensor's memory from that of others that are alive."""
    if tensor.layout is not torch.strided:
        return id(tensor)
    try:
        return tensor.untyped_storage()._cdata
    except NotImplementedError:  # one of a batch, inside vmap
        return key_of(torch._C._functorch.get_unwrapped(tensor))


def bytes_of(tensor: torch.Tensor) -> int:
    """Return the bytes of a tensor's memory, with those of its indices."""
    if tensor.layout is torch.strided:
        return tensor.untyped_storage().nbytes()
    components = list(_components(tensor))
    return sum(map(bytes_of, components)) if components else tensor.numel() * tensor.element_size()


def _components(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the tensors that a sparse or nested one is made of; none of one that is a block in a layout of its own."""
    if hasattr(tensor, "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            yield getattr(tensor, name)
        return
    names = {
        torch.sparse_coo: ("_indices", "_values"),
        **dict.fromkeys((torch.sparse_csr, torch.sparse_bsr), ("crow_indices", "col_indices", "values")),
        **dict.fromkeys((torch.sparse_csc, torch.sparse_bsc), ("ccol_indices", "row_indices", "values")),
    }
    with contextlib.suppress(NotImplementedError):
        yield from [getattr(tensor, name)() for name in names.get(tensor.layout, ())]
