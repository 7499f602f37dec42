"""Run operators of torch that are made of others so that those are seen, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def decomposed(func: Any) -> Callable[..., Any] | None:
    """Return what computes the same as an operator by calling others; None where the operator is to run whole.

    Some call functions that they're given: conditions, loops, attention with functions of one's own. Others are taken
    apart by torch itself, before they're seen, except inside the first.
    """
    if isinstance(func, torch._ops.HigherOrderOperator):
        return _HIGHER.get(func.name())
    if func.namespace != "aten" or not func._can_decompose():
        return None
    composite = torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")
    return func.decompose if composite else None


def _while_loop(condition: Any, body: Any, carried: Any, others: Any = ()) -> Any:
    while condition(*carried, *others):
        carried = body(*carried, *others)
    return carried


def _flex_attention(*args: Any, **kwargs: Any) -> Any:
    kernel = torch.ops.higher_order.flex_attention.py_kernels[torch._C.DispatchKey.CompositeExplicitAutograd]
    return kernel(*args, **kwargs)


_HIGHER: dict[str, Callable[..., Any]] = {
    "cond": lambda pred, true_branch, false_branch, operands=(): (true_branch if pred else false_branch)(*operands),
    "while_loop": _while_loop,
    "flex_attention": _flex_attention,
}
"""By the names that torch has for them; others run whole, and are unknown."""
