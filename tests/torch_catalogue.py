"""torch's own catalogue of operators with samples, each recorded and held against a run that nobody watches."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.profiling.results import Profile
from onnxtile.torch_frontend.network import Network
from onnxtile.torch_frontend.profile import profile_of
from onnxtile.torch_frontend.trace.recording import record

UNSET = (
    "empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided", "linalg.lstsq",
    "linalg.lstsq.grad_oriented",
)  # fmt: skip
"""Operators whose results hold whatever was in memory, or do in part."""
ELSEWHERE = ("jiterator",)
"""Operators that run on other devices alone."""


@dataclass
class Judged:
    """One sample. `fault`: what went wrong. `other_kernels`: torch computes it otherwise under any dispatch mode."""

    name: str
    fault: str = ""
    other_kernels: bool = False
    macs: object = None
    unknown: tuple[str, ...] = ()
    reasons: tuple[str, ...] = field(default=(), repr=False)


class Watched(TorchDispatchMode):  # type: ignore[misc, no-untyped-call]  # torch's have no types
    """Does nothing but watch."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class Net(torch.nn.Module):  # type: ignore[misc]  # the same
    """Calls an operator, from the same random numbers each time. `keep`: takes what comes of each run."""

    def __init__(self, operator: Callable[..., Any], keep: Callable[[Any], None]) -> None:
        super().__init__()
        self.operator, self.keep = operator, keep

    def forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        torch.manual_seed(0)
        found = self.operator(*args, **kwargs)
        self.keep(found)
        return found


def catalogue() -> list[Any]:
    """Return the operators that take float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return [
        each for each in op_db if torch.float32 in each.dtypes and not each.full_name.startswith(ELSEWHERE)
    ]  # fmt: skip


def samples(operator: Any, most: int | None = None) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Yield arguments for an operator, the first so many."""
    torch.manual_seed(0)
    for at, sample in enumerate(operator.sample_inputs("cpu", torch.float32, requires_grad=False)):
        if at == most:
            return
        yield (sample.input, *sample.args), sample.kwargs


def judge(operator: Any, call: tuple[tuple[Any, ...], dict[str, Any]]) -> tuple[Judged, Profile | None]:
    """Record and profile one sample, and hold it against a run of its own."""
    found = Judged(operator.full_name)
    plain, again, watched = (_copy(call) for _ in range(3))
    results: list[Any] = []
    net = Net(operator, results.append)
    with torch.no_grad():
        net(*plain)
        expected = results.pop()
    try:
        recording = record(Network(net, watched))
        profile = profile_of(recording)
    except BaseException as error:  # whatever it is, it's a fault
        found.fault = f"{type(error).__name__}: {error}"
        return found, None
    if len(results) != 1:
        found.fault = f"runs {len(results)} times"
    elif not same(plain, watched):
        found.fault = "inputs are changed"
    elif operator.full_name not in UNSET and not same(expected, results[0]):
        with torch.no_grad(), Watched():
            net(*again)
        found.other_kernels = same(results[1], results[0])
        found.fault = "" if found.other_kernels else "another result"
    found.macs = profile.totals.macs
    rows = [row for row in profile.nodes if isinstance(row.macs, Unknown)]
    found.unknown = tuple(sorted({call.operator.name for call in recording.calls} & set(_named(rows))))
    found.reasons = tuple(str(amount) for row in profile.nodes for amount in (row.macs, row.elementwise))
    return found, profile


def _named(rows: list[Any]) -> Iterator[str]:
    """The operators that the reasons name."""
    for row in rows:
        yield from str(row.macs).split()


def _copy(call: Any) -> Any:
    return tree_map(lambda each: _copy_of(each) if isinstance(each, torch.Tensor) else each, call)


def _copy_of(tensor: Any) -> Any:
    """One of its own; a view stays one of as much memory."""
    return copy.deepcopy(tensor) if tensor.layout is torch.strided else tensor.clone()


def same(one: Any, other: Any) -> bool:
    """Return whether two results are the same, bit for bit, tensors in the same layout; NaN is NaN."""
    (left, form), (right, other_form) = tree_flatten(one), tree_flatten(other)
    return form == other_form and all(map(_same, left, right))


def _same(one: Any, other: Any) -> bool:
    if not isinstance(one, torch.Tensor):
        return bool(one == other) or (one != one and other != other)  # NaN
    if not isinstance(other, torch.Tensor):
        return False
    if (one.dtype, one.shape, one.layout) != (other.dtype, other.shape, other.layout):
        return False
    if one.layout is not torch.strided:
        one, other = one.to_dense(), other.to_dense()
    elif one.stride() != other.stride():
        return False
    if one.is_complex():
        one, other = torch.view_as_real(one.resolve_conj()), torch.view_as_real(other.resolve_conj())
    signs = one.is_floating_point() and bool((torch.signbit(one) != torch.signbit(other))[~one.isnan()].any())
    return not signs and bool(((one == other) | (one.isnan() & other.isnan())).all())
