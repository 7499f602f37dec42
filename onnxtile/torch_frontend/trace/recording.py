"""Records one forward run: every operator that torch calls, and in which module."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeAlias

import torch

from onnxtile.errors import OnnxtileError, UnsupportedError, UsageError
from onnxtile.ir.io.checker import one_line
from onnxtile.torch_frontend.modules import Structure, kind_of, structure_of
from onnxtile.torch_frontend.modules import tensors_in as tensors_in
from onnxtile.torch_frontend.trace.calls import Recording
from onnxtile.torch_frontend.trace.environment import attributes_kept, inference, placed
from onnxtile.torch_frontend.trace.exported import modules_of_exported, run_exported
from onnxtile.torch_frontend.trace.recorder import Recorder
from onnxtile.torch_frontend.trace.skipping import NeedsNumbers, WatchingError, watched
from onnxtile.torch_frontend.trace.stack import ModuleStack as ModuleStack

Network: TypeAlias = "torch.nn.Module | torch.jit.ScriptModule | torch.export.ExportedProgram"


def record(
    model: Network, args: tuple[Any, ...], kwargs: Mapping[str, Any] = {}, device: str | None = None
) -> Recording:
    """Run the model as for inference, and tell which operators it called.

    Products with parameters aren't computed, as only shapes matter, unless what the model does depends on numbers: then
    it runs a second time, with all computed, and what modules, parameters and inputs held before the first. It runs in
    eval mode, without gradients, with the fast path of attention off, which would hide what it computes; all of that,
    the random state and the modules' hooks are afterwards as they were. `device`: run it there.

    Raises UsageError where the device isn't there or a parameter has no shape yet; UnsupportedError, with the
    operator's name, where the model runs and can't be recorded; and what the model itself raises, run unwatched.
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
    """Products aren't computed, unless it turns out that what the network does depends on their numbers."""
    if not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules()):
        try:
            with attributes_kept(module):  # else a second run would begin with what the first one left
                return _record(module, structure, run, args, kwargs, device, skips=True)
        except NeedsNumbers:
            pass
    return _record(module, structure, run, args, kwargs, device)  # hooks of the user's are to see true numbers, once


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
        try:
            with recorder, watched(recorder.refuse) if skips else nullcontext():
                results = run(module, args, kwargs, recorder.stack)
        except (OnnxtileError, NeedsNumbers):
            recorder.restore()
            raise
        except WatchingError as error:
            raise UnsupportedError(f"this network can't be recorded, at {error}") from error
        except Exception as error:  # of the network; or of zeros in the place of numbers, or of being watched?
            recorder.restore()
            _check_seen(recorder)
            if recorder.made_up:
                raise NeedsNumbers from error
            module(*args, **kwargs)  # raises what is its own
            raise UnsupportedError(f"this network runs, and fails when it's recorded: {_words(error)}") from error
        if recorder.asked:  # and the network went on
            recorder.restore()
            raise NeedsNumbers
        _check_seen(recorder)
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


def _check_seen(recorder: Recorder) -> None:
    if recorder.stack.unseen:
        kind = recorder.stack.unseen[0]
        raise UnsupportedError(f"this network can't be recorded: module {kind} runs in another thread, unseen")


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
    thread = threading.get_ident()

    def enter(each: torch.nn.Module, _: object) -> None:
        if threading.get_ident() != thread:
            stack.unseen.append(kind_of(each))
            return
        found = known.get(id(each))
        if found is None:  # it isn't part of the network
            found = stack.now.path if stack.now else "", kind_of(each)
        stack.enter(*found)

    def leave(each: torch.nn.Module, _: object, outputs: object) -> None:
        if threading.get_ident() != thread:
            return
        try:
            stack.leave(outputs)
        except Exception as error:
            raise WatchingError(f"what {kind_of(each)} returns: {_words(error)}") from error

    hooks = torch.nn.modules.module
    before = hooks.register_module_forward_pre_hook(enter)
    after = hooks.register_module_forward_hook(leave, always_call=True)
    try:
        return module(*args, **kwargs)
    finally:
        before.remove()
        after.remove()


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def _run_script(module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], stack: ModuleStack) -> Any:
    from onnxtile.torch_frontend.torchscript.interpreter import run_script

    return run_script(module, args, dict(kwargs), stack)
