"""Record one forward run: every operator that torch calls, and in which module."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeAlias

import torch

from onnxtile.errors import OnnxtileError, UnsupportedError
from onnxtile.torch_frontend.load import described
from onnxtile.torch_frontend.network import Network, Structure, kind_of, structure_of
from onnxtile.torch_frontend.torchscript.interpreter import run_script
from onnxtile.torch_frontend.trace.calls import Recording
from onnxtile.torch_frontend.trace.environment import attributes_kept, blame, inference, placed
from onnxtile.torch_frontend.trace.exported import modules_of_exported, run_exported
from onnxtile.torch_frontend.trace.module_stack import ModuleStack
from onnxtile.torch_frontend.trace.recorder import Recorder
from onnxtile.torch_frontend.trace.skipping import NeedsNumbers, WatchingError, reads_watched

Run: TypeAlias = "Callable[[Any, tuple[Any, ...], Mapping[str, Any], ModuleStack], object]"


def record(network: Network, device: str | None = None) -> Recording:
    """Run the network as for inference, and return which operators it called.

    Products with parameters aren't computed, as only shapes matter, unless what the model does depends on numbers: then
    it runs a second time, with all computed, and what modules, parameters and inputs held before the first. It runs in
    eval mode, without gradients, with the fast path of attention off, which would hide what it computes; all of that,
    the random state and the modules' hooks are afterwards as they were. `device`: run it there.

    Raises UsageError where the device isn't there or a parameter has no shape yet; UnsupportedError, with the
    operator's name, where the model runs and can't be recorded; and what the model itself raises, run unwatched.
    """
    module = network.module()
    structure = structure_of(module)
    run: Run = partial(_run_hooked, structure.labels)
    if network.is_exported:
        structure.modules = modules_of_exported(module)  # type: ignore[arg-type]  # a GraphModule
        run = run_exported
    elif network.is_scripted:
        run = run_script
    record_once = partial(_record, network, module, structure, run, device)
    hooked = any(inner._forward_hooks or inner._forward_pre_hooks for inner in module.modules())
    if not network.is_scripted and not hooked:  # hooks of the user's are to see true numbers, once
        try:
            with attributes_kept(module):  # else a second run would begin with what the first one left
                return record_once(skips=True)
        except NeedsNumbers:
            pass
    return record_once(skips=False)


def _record(
    network: Network, module: torch.nn.Module, structure: Structure, run: Run, device: str | None, skips: bool
) -> Recording:
    """Run the network once: `run` calls `module`, and tells a stack which of its modules run.

    `skips`: products aren't computed; NeedsNumbers where their numbers matter.
    """
    inputs = network.args, network.kwargs
    with inference(module), placed(module, inputs, device) as (args, kwargs):
        recorder = Recorder(structure.modules, skips)
        recorder.hold_constants(structure)
        held = recorder.hold_inputs((args, kwargs))
        try:
            with recorder, reads_watched(recorder.refuse) if skips else nullcontext():
                results = run(module, args, kwargs, recorder.stack)
        except (OnnxtileError, NeedsNumbers):
            recorder.restore()
            raise
        except WatchingError as error:
            raise UnsupportedError(f"this network can't be recorded, at {error}") from error
        except Exception as error:  # of the network; or of zeros that stand for numbers, or of being watched?
            recorder.restore()
            _check_seen(recorder)
            if recorder.stands_in:
                raise NeedsNumbers from error
            blame(module, args, kwargs, "it's recorded", error)
        if recorder.numbers_needed:  # and the network went on
            recorder.restore()
            raise NeedsNumbers
        _check_seen(recorder)
        outputs = recorder.values(results)
    for value in outputs:
        recorder.storages[value.storage].last_call = len(recorder.calls)
    return Recording(
        recorder.calls, structure.modules, recorder.stack.calls, recorder.storages, recorder.constants,
        recorder.names, held, outputs,
    )  # fmt: skip


def _check_seen(recorder: Recorder) -> None:
    if recorder.stack.unseen:
        kind = recorder.stack.unseen[0]
        raise UnsupportedError(f"this network can't be recorded: module {kind} runs in another thread, unseen")


def _run_hooked(
    labels: Mapping[int, tuple[str, str]],
    module: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    stack: ModuleStack,
) -> object:
    """Run a module with hooks for all modules, which are removed when it's done. `labels`: their path and class."""
    thread = threading.get_ident()

    def enter(inner: torch.nn.Module, _: object) -> None:
        if threading.get_ident() != thread:
            stack.unseen.append(kind_of(inner))
            return
        label = labels.get(id(inner))
        if label is None:  # it isn't part of the network
            label = stack.now.path if stack.now else "", kind_of(inner)
        stack.enter(*label)

    def leave(inner: torch.nn.Module, _: object, outputs: object) -> None:
        if threading.get_ident() != thread:
            return
        try:
            stack.leave(outputs)
        except Exception as error:
            raise WatchingError(f"what {kind_of(inner)} returns: {described(error)}") from error

    hooks = torch.nn.modules.module
    before = hooks.register_module_forward_pre_hook(enter)
    after = hooks.register_module_forward_hook(leave, always_call=True)
    try:
        return module(*args, **kwargs)
    finally:
        before.remove()
        after.remove()
