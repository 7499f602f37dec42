"""What surrounds a run of a network: inference mode and a device, and everything afterwards as it was before."""

from __future__ import annotations

import contextlib
import sys
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from onnxtile.errors import UsageError


@contextlib.contextmanager
def inference(module: torch.nn.Module) -> Iterator[None]:
    """Eval mode without gradients; modes of all modules, random numbers and attention's fast path are restored.

    Flags are set one by one: `eval()` of some libraries does more than that.
    """
    training = [each for each in module.modules() if each.training]
    fast = torch.backends.mha.get_fastpath_enabled()
    devices = range(torch.cuda.device_count())
    # inference mode keeps operators whole, which are seen in parts otherwise
    with torch.random.fork_rng(devices=devices), torch.inference_mode(False), torch.no_grad(), _uncompiled():
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            for each in training:
                each.training = False
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for each in training:
                each.training = True


@contextlib.contextmanager
def attributes_kept(module: torch.nn.Module) -> Iterator[None]:
    """What modules hold is what they held before: attributes, and what is in lists, sets and dicts among them."""
    kept = []
    for each in module.modules():
        own = each.__dict__
        kept.append(
            (
                own,
                dict(own),
                [(held, type(held)(held) if held else ()) for held in own.values() if type(held) in _CONTAINERS],
            )
        )
    try:
        yield
    finally:
        for own, before, containers in kept:
            for held, content in containers:
                if (held or content) and not _same(held, content):
                    held.clear()
                    (held.extend if isinstance(held, (list, deque)) else held.update)(content)
            if not _same(own, before):
                own.clear()
                own.update(before)


_CONTAINERS = (list, dict, set, deque, OrderedDict)


def _same(one: Any, other: Any) -> bool:
    """Whether two containers hold the same objects; tensors can't be compared."""
    if len(one) != len(other):
        return False
    if isinstance(one, Mapping):
        return _same(list(one), list(other)) and _same(list(one.values()), list(other.values()))
    return all(a is b for a, b in zip(one, other, strict=True))


def _uncompiled() -> contextlib.AbstractContextManager[Any]:
    """What torch.compile made of modules is run as it's written, so that every operator is seen."""
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        return contextlib.nullcontext()
    eager: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return eager


@contextlib.contextmanager
def placed(
    module: torch.nn.Module, inputs: tuple[tuple[Any, ...], Mapping[str, Any]], device: str | None
) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """The module and these inputs on a device (None: where they are); the module goes back where it was.

    Raises UsageError where torch has no such device, or the module is spread over several.
    """
    if device is None:
        yield inputs
        return
    try:
        target = torch.device(device)
        torch.empty(0, device=target)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"can't run on device {device!r}: {str(error).splitlines()[0]}") from error
    if target.type == "meta":
        raise UsageError("can't run on device 'meta': what moves there loses its numbers")
    before = {tensor.device for tensor in (*module.parameters(), *module.buffers())}
    if len(before) > 1:
        raise UsageError(f"the model is spread over {', '.join(sorted(map(str, before)))}; don't ask for one device")
    try:
        module.to(target)
        yield _moved(inputs, target)
    finally:
        for each in before:
            module.to(each)


def _moved(given: Any, device: torch.device) -> Any:
    if isinstance(given, torch.Tensor):
        return given.to(device)
    if isinstance(given, (list, tuple)):
        moved = [_moved(each, device) for each in given]
        return type(given)(*moved) if hasattr(given, "_fields") else type(given)(moved)
    if isinstance(given, Mapping):
        return {name: _moved(each, device) for name, each in given.items()}
    return given
