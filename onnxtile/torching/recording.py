"""Records one forward run: every operator that torch calls, and in which module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeAlias

import torch

from onnxtile.errors import UsageError
from onnxtile.torching.calls import Recording
from onnxtile.torching.exported import modules_of_exported, run_exported
from onnxtile.torching.recorder import Recorder
from onnxtile.torching.skipping import NeedsNumbers, watched
from onnxtile.torching.stack import ModuleStack as ModuleStack
from onnxtile.torching.structure import Structure, kind_of, structure_of
from onnxtile.torching.structure import tensors_in as tensors_in
from onnxtile.torching.surroundings import attributes_kept, inference, placed

Network: TypeAlias = "torch.nn.Module | torch.jit.ScriptModule | torch.export.ExportedProgram"


def record(
    model: Network, args: tuple[Any, ...], kwargs: Mapping[str, Any] = {}, device: str | None = None
) -> Recording:
    """Run the model as for inference, and tell which operators it called.

    Products with parameters aren't computed, as only shapes matter, unless what the model does depends on numbers: then
    it runs a second time, with all computed, and what modules held before the first. It runs in eval mode, without
    gradients, with the fast path of attention off, which would hide what it computes; all of that, the random state and
    the modules' hooks are afterwards as they were. `device`: run it there.

    Raises UsageError where the device isn't there or a parameter has no shape yet; and what the model itself raises.
    """
    if isinstance(model, torch.export.ExportedProgram):
        graph = model.module()
        assert isinstance(graph, torch.fx.GraphModule)
        structure = structure_of(graph)
        structure.modules = modules_of_exported(graph)
        return _quickly(graph, structure, run_exported, args, kwargs, device)
    if not isinstance(model, torch.nn.Module):
        raise UsageError(f"can't run a {type(model).__name__}: give a module of torch or an exported program")
    structure = structure_of(model)
    if isinstance(model, torch.jit.ScriptModule):
        return _record(model, structure, _run_script, args, kwargs, device)
    return _quickly(model, structure, partial(_run_module, structure.known), args, kwargs, device)


Run: TypeAlias = "Callable[[Any, tuple[Any, ...], Mapping[str, Any], ModuleStack], Any]"


def _quickly(
    module: torch.nn.Module,
    structure: Structure,
    run: Run,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    device: str | None,
) -> Recording:
    """Products aren't computed, unless it turns out that what the network does depends on their numbers.

    What else goes wrong may be due to numbers, too (a matrix that can't be inverted), and does again if it isn't.
    """
    if any(each._forward_hooks or each._forward_pre_hooks for each in module.modules()):
        return _record(
            module, structure, run, args, kwargs, device
        )  # hooks of the user's are to see true numbers, once
    try:
        with attributes_kept(module):  # else a second run would begin with what the first one left
            return _record(module, structure, run, args, kwargs, device, skips=True)
    except UsageError:
        raise
    except (NeedsNumbers, Exception):
        return _record(module, structure, run, args, kwargs, device)


def _record(
    module: torch.nn.Module,
    structure: Structure,
    run: Run,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    device: str | None,
    skips: bool = False,
) -> Recording:
    with inference(module), placed(module, (args, kwargs), device) as (args, kwargs):
        recorder = Recorder(structure.modules, skips)
        recorder.hold_constants(structure)
        inputs = recorder.hold_inputs((args, kwargs))
        with recorder, watched(recorder.refuse) if skips else nullcontext():
            results = run(module, args, kwargs, recorder.stack)
        if recorder.asked:  # and the network went on
            raise NeedsNumbers
        outputs = recorder.values(results)
    for value in outputs:
        recorder.storages[value.storage].read = len(recorder.calls)
    return Recording(
        recorder.calls,
        structure.modules,
        recorder.stack.calls,
        recorder.storages,
        recorder.constants,
        recorder.names,
        inputs,
        outputs,
    )


def _run_module(
    known: Mapping[int, tuple[str, str]],
    module: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    stack: ModuleStack,
) -> Any:
    """Hooks for all modules say which is running; they are removed when it's done.

    `known`: path and kind of modules by their identity.
    """

    def enter(each: torch.nn.Module, _: object) -> None:
        found = known.get(id(each))
        if found is None:  # it isn't part of the network
            found = stack.now.path if stack.now else "", kind_of(each)
        stack.enter(*found)

    def leave(each: torch.nn.Module, _: object, outputs: object) -> None:
        stack.leave(outputs)

    hooks = torch.nn.modules.module
    before = hooks.register_module_forward_pre_hook(enter)
    after = hooks.register_module_forward_hook(leave, always_call=True)
    try:
        return module(*args, **kwargs)
    finally:
        before.remove()
        after.remove()


_WITH_FAST_PATH = ("MultiheadAttention", "TransformerEncoderLayer")
"""Modules that torch has one operator for, which computes all of them."""


def _run_script(module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], stack: ModuleStack) -> Any:
    from onnxtile.torching.script import run_script

    return run_script(module, args, dict(kwargs), stack)
