"""`capture` for models of torch: what chosen modules give in one run, to the same files as for ONNX."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import onnx_ir as ir
import torch

from onnxtile.debugging.capture.output_files import Target
from onnxtile.debugging.capture.report import Captured, CaptureReport, Fed, Skipped, Value
from onnxtile.debugging.capture.selection import Texts, Wish, near
from onnxtile.debugging.capture.statistics import Numbers, first_of, numbers_of
from onnxtile.errors import OnnxtileError, UnsupportedError, UsageError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.ir.printable import beginning
from onnxtile.torch_frontend.exported_outputs import run_with_outputs
from onnxtile.torch_frontend.modules import kind_of
from onnxtile.torch_frontend.torchscript.interpreter import run_script
from onnxtile.torch_frontend.trace.environment import inference, placed
from onnxtile.torch_frontend.trace.skipping import WatchingError

Network: TypeAlias = "torch.nn.Module | torch.export.ExportedProgram"
OnOutput = Callable[[str, str, object], None]
_OTHER_TYPES = {
    torch.bfloat16: ml_dtypes.bfloat16,
    torch.float8_e4m3fn: ml_dtypes.float8_e4m3fn,
    torch.float8_e4m3fnuz: ml_dtypes.float8_e4m3fnuz,
    torch.float8_e5m2: ml_dtypes.float8_e5m2,
    torch.float8_e5m2fnuz: ml_dtypes.float8_e5m2fnuz,
    torch.float8_e8m0fnu: ml_dtypes.float8_e8m0fnu,
}
"""Types that numpy lacks, bit for bit."""
_BITS = {1: torch.uint8, 2: torch.uint16}
MOST_DEPTH = 20
"""Lists in lists that are looked into."""


def capture_torch(
    model: Network,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] = {},
    *,
    op: Texts = None,
    name: Texts = None,
    output: str | os.PathLike[str] | None = None,
    keep: bool = True,
    seed: int | None = None,
    device: str | None = None,
    source: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Captured | CaptureReport:
    """What chosen modules of a model give in one run in eval mode, without gradients.

    `op`: names of modules' classes, such as `Conv2d`; `name`: patterns of modules' paths, such as `layer1.*`; a module
    has to fit one of each that are given. The model itself is chosen by its class, or by `*`, and goes by its class.
    A value is named after its module: `conv1`; or `lstm/0`, `lstm/1.0` for a module that gives several, by place or
    key; what the second call gives is `conv1#1`. It's a copy, taken when the module returns, so that later changes in
    place aren't in it. Modules of a program from torch.export are told by its graph: captured is what others read.

    Without `output` the values come back, or with `keep=False` the report alone; with it, they are written there as
    `onnxtile.capture` writes them. All are held in memory until the run has ended. `seed`: what random inputs were made
    from; None: they were given. `source`: the model's file, which isn't written over.

    Raises UsageError where nothing can be captured, and where the run fails. Hooks are removed in any case.
    """
    wish = Wish.of(op, name)
    target = None if output is None else Target(output, source)
    say = progress or silent
    taking = _Taking(wish, hold=keep or target is not None)
    say("run the model")
    try:
        _run(model, args, kwargs, taking, device)
    except OnnxtileError:
        raise
    except WatchingError as error:
        raise UnsupportedError(f"can't capture {error}") from error
    except Exception as error:  # the model's own code runs, which may raise anything
        words = f"{type(error).__name__}: {beginning(one_line(error))}"
        raise UsageError(f"the model fails on these inputs: {words}") from error
    if not taking.values:
        raise UsageError(taking.why_nothing())
    fed = Fed("given" if seed is None else "random", seed, {})
    report = CaptureReport(tuple(taking.values), tuple(taking.skipped), tuple(taking.unmatched()), fed)
    if target is not None:
        say("write values")
        with target.open(list(taking.arrays)) as write:
            values = tuple(write(row, taking.arrays[row.value]) for row in report.values)
        return replace(report, values=values, output=target.path)
    return Captured(taking.arrays, report) if keep else report


def _run(model: Network, args: tuple[Any, ...], kwargs: Mapping[str, Any], taking: _Taking, device: str | None) -> None:
    module: Any = model.module() if isinstance(model, torch.export.ExportedProgram) else model
    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"can't run a {type(model).__name__}: give a module of torch or an exported program")
    with inference(module), placed(module, (args, kwargs), device) as (args, kwargs):
        if not isinstance(model, torch.export.ExportedProgram) and not isinstance(module, torch.jit.ScriptModule):
            for path, each in module.named_modules():
                taking.know(path, kind_of(each))
            with _hooked(module, taking):
                module(*args, **kwargs)
            return
        try:
            _follow(module, args, kwargs, taking)
        except OnnxtileError:
            raise
        except Exception as error:  # of the model, or of following it?
            module(*args, **kwargs)  # raises what is its own
            words = f"{type(error).__name__}: {one_line(error)}"
            raise UnsupportedError(f"this model runs, and fails when its modules are followed: {words}") from error


def _follow(module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], taking: _Taking) -> None:
    """Run a model whose modules call no hooks, node by node."""
    if not isinstance(module, torch.jit.ScriptModule):
        run_with_outputs(module, args, kwargs, taking.know, taking.take)
        return
    for path, each in module.named_modules():
        taking.know(path, kind_of(each))
    run_script(module, args, kwargs, _NoStack(), taking.take, taking.whole)


@contextmanager
def _hooked(module: torch.nn.Module, taking: _Taking) -> Iterator[None]:
    """Hooks for all modules that are asked for, removed afterwards."""
    handles = []
    try:
        for path, each in module.named_modules():
            kind = kind_of(each)
            if isinstance(each, torch.jit.ScriptModule):
                taking.leave_scripted(path, kind)
            elif taking.wants(path, kind):
                handles.append(each.register_forward_hook(_hook(taking, path, kind)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(taking: _Taking, path: str, kind: str) -> Callable[[Any, Any, Any], None]:
    return lambda module, args, output: taking.take(path, kind, output)


class _NoStack:
    def enter(self, path: str, kind: str) -> None: ...

    def leave(self, outputs: object) -> None: ...


@dataclass
class _Taking:
    """Takes values as modules give them. `known`: all modules' classes by path."""

    wish: Wish
    hold: bool
    values: list[Value] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def know(self, path: str, kind: str) -> None:
        self.known.setdefault(path, kind)

    def wants(self, path: str, kind: str) -> bool:
        ops, names = self.wish.ops, self.wish.names
        return (not ops or kind in ops) and (not names or any(_fits(name, path) for name in names))

    def take(self, path: str, kind: str, output: object) -> None:
        if self.wants(path, kind):
            try:
                self._keep(path, kind, output)
            except Exception as error:  # none of the model's, whose own handlers mustn't take it
                words = f"{type(error).__name__}: {one_line(error)}"
                raise WatchingError(f"what module {path or kind!r} gives: {words}") from error

    def _keep(self, path: str, kind: str, output: object) -> None:
        call = self.calls.get(path, 0)
        self.calls[path] = call + 1
        base = (path or kind) + (f"#{call}" if call else "")
        for place, found in _parts(output, ""):
            value = f"{base}/{place}" if place else base
            array, reason = _array(found)
            if array is None:
                self.skipped.append(Skipped(path, kind, f"{value!r} {reason}"))
                continue
            self.values.append(_row(value, path, kind, array))
            if self.hold:
                self.arrays[value] = array

    def whole(self, path: str, kind: str, reason: str) -> None:
        """A TorchScript module runs whole: what's inside it is skipped."""
        for inner, inner_kind in self.known.items():
            if inner.startswith(f"{path}." if path else "") and inner != path and self.wants(inner, inner_kind):
                words = f"is in {path or kind!r}, which runs whole: {reason}"
                self.skipped.append(Skipped(inner, inner_kind, words))

    def leave_scripted(self, path: str, kind: str) -> None:
        """Note a module that calls no hooks, where it was asked for."""
        if self.wants(path, kind):
            self.skipped.append(
                Skipped(path, kind, "is scripted inside a module that isn't: what it gives can't be kept")
            )

    def unmatched(self) -> Iterator[str]:
        for op in self.wish.ops:
            if op not in self.known.values():
                yield f"no module is a {op!r}{near(op, self.known.values(), 'the model has')}"
        for name in self.wish.names:
            if not any(_fits(name, path) for path in self.known):
                yield f"no module is called {name!r}{near(name, self.known, 'it has')}"

    def why_nothing(self) -> str:
        if self.skipped:
            first, more = self.skipped[0], len(self.skipped) - 1
            others = f", and so on for {more:,} more" if more else ""
            return f"nothing can be captured: {first.op} {first.node!r} {first.reason}{others}"
        words = list(self.unmatched())
        if words:
            return "; ".join(words)
        chosen = [path for path, kind in self.known.items() if self.wants(path, kind)]
        if chosen:
            return f"nothing can be captured: {chosen[0]!r} isn't called in this run"
        called = " or ".join(map(repr, self.wish.names))
        return f"no module called {called} is a {' or a '.join(self.wish.ops)}: leave --op or --name out"


def _fits(pattern: str, path: str) -> bool:
    return path == pattern or fnmatchcase(path, pattern)


def _parts(output: object, place: str, depth: int = 0) -> Iterator[tuple[str, object]]:
    """What's in an output, each with its place in it: `1.0` is the first of the second."""
    inner: Sequence[tuple[object, object]] | None = None
    if isinstance(output, Mapping):
        inner = list(output.items())
    elif isinstance(output, (tuple, list)):
        inner = list(enumerate(output))
    if inner is None or depth >= MOST_DEPTH:
        yield place, output
        return
    for key, found in inner:
        yield from _parts(found, f"{place}.{key}" if place else str(key), depth + 1)


def _array(found: object) -> tuple[np.ndarray | None, str]:
    """A copy of a tensor as an array, or why there is none; the reason goes on from its name."""
    if not isinstance(found, torch.Tensor):
        return None, "is None" if found is None else f"is a {type(found).__name__}, not a tensor"
    if found.layout is not torch.strided or found.is_quantized or found.is_nested:
        kind = "quantized" if found.is_quantized else "nested" if found.is_nested else "sparse"
        return None, f"is a {kind} tensor, which no array is"
    if found.device.type == "meta":
        return None, "is a tensor without numbers (device meta)"
    plain = found.detach().resolve_conj().resolve_neg().to("cpu", copy=True).contiguous()
    other = _OTHER_TYPES.get(plain.dtype)
    if other is not None:
        return plain.view(_BITS[plain.element_size()]).numpy().view(other), ""
    try:
        return plain.numpy(), ""
    except (TypeError, RuntimeError):
        return None, f"is a tensor of {plain.dtype}, which numpy lacks"


def _row(value: str, path: str, kind: str, array: np.ndarray) -> Value:
    numbers = (
        Numbers(None, None, None, int(np.isnan(array).sum()), int(np.isinf(array).sum()))
        if array.dtype.kind == "c"  # which have no smallest
        else numbers_of(array, ir.DataType.from_numpy(array.dtype))
    )
    return Value(value, path, kind, 1, str(array.dtype), array.shape, array.nbytes, *numbers, first_of(array))
