"""`capture` for models of torch: keep what chosen modules give in one run, as for models of ONNX."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from onnxtile.debugging.capture.element_types import NotATensorError
from onnxtile.debugging.capture.output_files import Target
from onnxtile.debugging.capture.report import Captured, CapturedValue, CaptureReport, Fed, Skipped
from onnxtile.debugging.capture.selection import Labels, Selection, Texts
from onnxtile.debugging.capture.statistics import described as described_value
from onnxtile.errors import OnnxtileError, UnsupportedError, UsageError
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.torch_frontend.arrays import array_of
from onnxtile.torch_frontend.load import described, running
from onnxtile.torch_frontend.network import Network, kind_of
from onnxtile.torch_frontend.torchscript.interpreter import run_script
from onnxtile.torch_frontend.trace.environment import blame, inference, placed
from onnxtile.torch_frontend.trace.exported import modules_of_exported, run_exported
from onnxtile.torch_frontend.trace.module_stack import ModuleWatcher
from onnxtile.torch_frontend.trace.skipping import WatchingError

MOST_DEPTH = 20
"""Lists in lists that are looked into."""


def capture_torch(
    network: Network,
    *,
    op: Texts = None,
    name: Texts = None,
    output: str | os.PathLike[str] | None = None,
    keep: bool = True,
    device: str | None = None,
    source: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Captured | CaptureReport:
    """Return what chosen modules of a network give in one run in eval mode, without gradients.

    `op`: names of modules' classes, such as `Conv2d`; `name`: patterns of modules' paths, such as `layer1.*`; a module
    has to fit one of each that are given. The model itself is chosen by its class, or by `*`, and goes by its class.
    A value is named after its module: `conv1`; or `lstm/0`, `lstm/1.0` for a module that gives several, by position or
    key; what the second call gives is `conv1#1`. It's a copy, taken when the module returns, so that later changes in
    place aren't in it. Modules of a program from torch.export are told by its graph: captured is what others read.

    Without `output` the values come back, or with `keep=False` the report alone; with it, they are written there as
    `onnxtile.capture` writes them. All are held in memory until the run has ended. `source`: the model's file, which
    isn't written over.

    Raises UsageError where nothing can be captured, and where the run fails. Hooks are removed in any case.
    """
    selection = Selection.of(op, name)
    target = None if output is None else Target(output, source)
    say = progress or silent
    capture = _ModuleCapture(selection, hold=keep or target is not None)
    say("run the model")
    try:
        with running():
            _run(network, capture, device)
    except WatchingError as error:
        raise UnsupportedError(f"can't capture {error}") from error
    unmatched = selection.unmatched([Labels([kind], [path]) for path, kind in capture.modules.items()], "module")
    if not capture.values:
        raise UsageError(capture.why_nothing(unmatched))
    fed = Fed("given" if network.seed is None else "random", network.seed, {})
    report = CaptureReport(tuple(capture.values), tuple(capture.skipped), tuple(unmatched), fed)
    if target is not None:
        say("write values")
        with target.open(list(capture.arrays)) as write:
            values = tuple(write(row, capture.arrays[row.value]) for row in report.values)
        return replace(report, values=values, output=target.path)
    return Captured(capture.arrays, report) if keep else report


def _run(network: Network, capture: _ModuleCapture, device: str | None) -> None:
    module = network.module()
    inputs = network.args, network.kwargs
    if isinstance(module, torch.fx.GraphModule) and network.is_exported:
        capture.modules = {path: facts.kind for path, facts in modules_of_exported(module).items()}
    else:
        capture.modules = {path: kind_of(inner) for path, inner in module.named_modules()}
    with inference(module), placed(module, inputs, device) as (args, kwargs):
        if not network.is_exported and not network.is_scripted:
            with ExitStack() as hooks:
                capture.hook(module, hooks)
                module(*args, **kwargs)
            return
        try:
            (run_exported if network.is_exported else run_script)(module, args, kwargs, capture)
        except OnnxtileError:
            raise
        except Exception as error:  # of the model, or of following it?
            blame(module, args, kwargs, "its modules are followed", error)


@dataclass
class _ModuleCapture(ModuleWatcher):
    """Keeps what selected modules give. `modules`: the classes of all by path; `hold`: the arrays are kept, too."""

    selection: Selection
    hold: bool
    values: list[CapturedValue] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def hook(self, module: torch.nn.Module, hooks: ExitStack) -> None:
        """Give selected modules hooks that `hooks` removes; those that are scripted call none, and are skipped."""
        for path, inner in module.named_modules():
            kind = kind_of(inner)
            if not self._selects(path, kind):
                continue
            if isinstance(inner, torch.jit.ScriptModule):
                reason = "is scripted inside a module that isn't: what it gives can't be kept"
                self.skipped.append(Skipped(path, kind, reason))
            else:
                hooks.enter_context(inner.register_forward_hook(self._hook(path, kind)))

    def _hook(self, path: str, kind: str) -> Callable[[Any, Any, Any], None]:
        return lambda module, args, output: self.take(path, kind, output)

    def take(self, path: str, kind: str, output: object) -> None:
        if self._selects(path, kind):
            try:
                self._keep(path, kind, output)
            except Exception as error:  # none of the model's, whose own handlers mustn't catch it
                raise WatchingError(f"what module {path or kind!r} gives: {described(error)}") from error

    def skip(self, path: str, kind: str, reason: str) -> None:
        for inner, inner_kind in self.modules.items():
            if inner.startswith(f"{path}." if path else "") and inner != path and self._selects(inner, inner_kind):
                words = f"is in {path or kind!r}, which runs whole: {reason}"
                self.skipped.append(Skipped(inner, inner_kind, words))

    def why_nothing(self, unmatched: list[str]) -> str:
        """Return why no module gave anything, in words."""
        chosen = next((path for path, kind in self.modules.items() if self._selects(path, kind)), None)
        if chosen is not None and not self.skipped and not unmatched:
            return f"nothing can be captured: {chosen!r} isn't called in this run"
        return self.selection.why_nothing(self.skipped, unmatched, "module")

    def _selects(self, path: str, kind: str) -> bool:
        return self.selection.selects(Labels([kind], [path]))

    def _keep(self, path: str, kind: str, output: object) -> None:
        call = self.calls.get(path, 0)
        self.calls[path] = call + 1
        base = (path or kind) + (f"#{call}" if call else "")
        for position, item in _items(output, ""):
            name = f"{base}/{position}" if position else base
            try:
                array = array_of(item)
            except NotATensorError as error:
                self.skipped.append(Skipped(path, kind, f"{name!r} {error}"))
                continue
            self.values.append(described_value(name, path, kind, array, ir.DataType.from_numpy(array.dtype)))
            if self.hold:
                self.arrays[name] = array


def _items(output: object, position: str, depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield what's in an output with its position: `1.0` is the first of the second."""
    if depth >= MOST_DEPTH or not isinstance(output, (Mapping, tuple, list)):
        yield position, output
        return
    for key, item in output.items() if isinstance(output, Mapping) else enumerate(output):
        yield from _items(item, f"{position}.{key}" if position else str(key), depth + 1)
