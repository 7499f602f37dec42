"""Run a network in inference mode and on a device, and leave everything afterwards as it was before."""

from __future__ import annotations

import contextlib
import sys
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import torch

from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.torch_frontend.load import described
from onnxtile.torch_frontend.nesting import replaced


@contextlib.contextmanager
def inference(module: torch.nn.Module) -> Iterator[None]:
    """Have it in eval mode, without gradients; restore modes of modules, random numbers and attention's fast path.

    Flags are set one by one: `eval()` of some libraries does more than that.
    """
    training = [inner for inner in module.modules() if inner.training]
    fast = torch.backends.mha.get_fastpath_enabled()
    devices = range(torch.cuda.device_count())
    # inference mode keeps operators whole, which are seen in parts otherwise
    with torch.random.fork_rng(devices=devices), torch.inference_mode(False), torch.no_grad(), _uncompiled():
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            for inner in training:
                inner.training = False
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for inner in training:
                inner.training = True


@contextlib.contextmanager
def attributes_kept(module: torch.nn.Module) -> Iterator[None]:
    """Restore what modules hold: attributes, and what is in lists, sets and dicts among them."""
    kept = []
    for own in (inner.__dict__ for inner in module.modules()):
        containers = [(held, type(held)(held) if held else ()) for held in own.values() if type(held) in _CONTAINERS]
        kept.append((own, dict(own), containers))
    try:
        yield
    finally:
        for own, before, containers in kept:
            for held, content in containers:
                if held or content:
                    held.clear()
                    (held.extend if isinstance(held, (list, deque)) else held.update)(content)
            own.clear()
            own.update(before)


_CONTAINERS = (list, dict, set, deque, OrderedDict)


def _uncompiled() -> contextlib.AbstractContextManager[Any]:
    """Have modules that torch.compile compiled run as they're written, so that every operator is seen."""
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        return contextlib.nullcontext()
    eager: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return eager


@contextlib.contextmanager
def placed(
    module: torch.nn.Module, inputs: tuple[tuple[Any, ...], Mapping[str, Any]], device: str | None
) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """Put the module and these inputs on a device (None: leave them); the module goes back where it was.

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
        yield replaced(inputs, torch.Tensor, lambda tensor: tensor.to(target))
    finally:
        for previous in before:
            module.to(previous)


def blame(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], when: str, error: Exception
) -> NoReturn:
    """Raise what the network raises by itself; or, where it runs, an UnsupportedError: watching it failed.

    That takes another run. An error's type or trail doesn't tell the two apart: all of a network's operators go through
    whatever watches it, and torch raises the same errors for what it can't do under a dispatch mode or in an
    interpreter as for a network that's wrong.
    """
    module(*args, **kwargs)
    raise UnsupportedError(f"this network runs, and fails when {when}: {described(error)}") from error
