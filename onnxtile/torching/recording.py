"""Records one forward run: every operator that torch calls, and in which module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from onnxtile.errors import UsageError
from onnxtile.torching.calls import Call, Constant, ModuleFacts, Operator, Recording, Storage, Value
from onnxtile.torching.exported import modules_of_exported, run_exported
from onnxtile.torching.skipping import STAND_INS, NeedsNumbers, is_read, watched
from onnxtile.torching.stack import ModuleStack as ModuleStack
from onnxtile.torching.structure import Structure, kind_of, structure_of
from onnxtile.torching.structure import tensors_in as tensors_in
from onnxtile.torching.surroundings import attributes_kept, inference, placed

Network: TypeAlias = "torch.nn.Module | torch.jit.ScriptModule | torch.export.ExportedProgram"
_VIEWS = ("_unsafe_view", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "lift", "lift_fresh")
"""Operators that return views although their schemas don't say so."""
_RESHAPING = ("squeeze_", "unsqueeze_", "transpose_", "t_", "as_strided_", "detach_", "resize_", "swapaxes_", "set_")
"""Operators whose schemas say that they change a tensor, and which change only how it's looked at."""
_PLAIN = (int, float, bool, str, type(None))


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's has no types
    """Sees every operator that reaches a backend, and keeps what it was called with: no tensor, only shapes."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return (
            False  # else torch wraps each call below, which takes longer than all else here, and imports its compiler
        )

    def __init__(self, modules: Mapping[str, ModuleFacts], skips: bool = False) -> None:
        """`skips`: leave out the arithmetic of products, as `skipping` says."""
        self._skips = skips
        super().__init__()  # type: ignore[no-untyped-call]  # the same
        self.stack = ModuleStack(modules, self.values)
        self.calls: list[Call] = []
        self.storages: list[Storage] = []
        self.constants: dict[str, Constant] = {}
        self.names: dict[str, str] = {}
        self._numbers: dict[int, int] = {}
        self._sources: dict[int, tuple[str, ...]] = {}
        self._parts: dict[int, list[tuple[int, int, str]]] = {}
        self._shared: dict[int, list[tuple[int, int, str]]] = {}
        self._operators: dict[Any, Operator | None] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        try:
            operator = self._operators[func]
        except KeyError:
            operator = self._operators[func] = None if only_looks(func) else Operator(func)
        if operator is None:
            return func(*args, **kwargs)
        inputs: list[Value] = []
        # before the call, which may change them
        arguments = [each if type(each) in _PLAIN else self._seen(each, inputs) for each in args]
        keywords = {name: self._seen(each, inputs) for name, each in kwargs.items()} if kwargs else kwargs
        results = self._stand_in(func, operator, args, kwargs, inputs) if self._skips else func(*args, **kwargs)
        now, storages = len(self.calls), self.storages
        given = [value.storage for value in inputs]
        for number in given:
            storages[number].read = now
        if isinstance(results, torch.Tensor):
            outputs: tuple[Value, ...] = (self._made(results, given, inputs, now),)
        else:
            outputs = tuple([self._made(each, given, inputs, now) for each in tensors_in(results)])
        assert self.stack.now is not None
        self.calls.append(Call(operator, arguments, keywords, tuple(inputs), outputs, self.stack.now))
        return results

    def _stand_in(
        self, func: Any, operator: Operator, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Value]
    ) -> Any:
        """What the operator returns, or zeros in its place where it's a product with a parameter."""
        if operator.reads and is_read(func, args):
            raise NeedsNumbers
        if operator.changes and inputs and self.storages[inputs[0].storage].constant:
            raise NeedsNumbers
        if operator.name in STAND_INS and not kwargs:
            left, right, make = STAND_INS[operator.name]
            if self.value(args[right]).sources and not self.value(args[left]).sources:
                result = make(*args)
                if result is not None:
                    return result
        return func(*args, **kwargs)

    def value(self, tensor: torch.Tensor) -> Value:
        """What is kept of a tensor."""
        number = self._numbers.get(_key(tensor))
        if number is None:  # a tensor that is neither a parameter, nor a buffer, nor made by an operator
            number = self._hold(f"constant {len(self.constants)}", tensor, "buffer")
        sources = self._sources.get(number, ())
        if number in self._shared:
            sources = self._within(number, tensor)
        return Value(tensor.shape, tensor.dtype, number, sources)

    def values(self, found: object) -> tuple[Value, ...]:
        """The same of all tensors in lists, tuples and dicts."""
        if isinstance(found, torch.Tensor):
            return (self.value(found),)
        return tuple([self.value(tensor) for tensor in tensors_in(found)])

    def hold_constants(self, structure: Structure) -> None:
        """Parameters and buffers, each once, by the first of their names."""
        for name, tensor in structure.parameters:
            if torch.nn.parameter.is_lazy(tensor):
                raise UsageError(f"parameter {name!r} has no shape yet; call the model once before")
            self._hold(name, tensor, "trainable" if tensor.requires_grad else "frozen")
        for name, tensor in structure.buffers:
            self._hold(name, tensor, "buffer")

    def hold_inputs(self, inputs: object) -> tuple[Value, ...]:
        """What the network is called with, which is alive from the start."""
        for tensor in tensors_in(inputs):
            if _key(tensor) not in self._numbers:
                self._new(_key(tensor), _bytes(tensor), 0)
        return self.values(inputs)

    def _hold(self, name: str, tensor: torch.Tensor, kind: Literal["trainable", "frozen", "buffer"]) -> int:
        """A constant; several may be parts of one memory, or the same part under two names."""
        key, elements = _key(tensor), tensor.numel()
        number = self._numbers.get(key)
        if number is None:
            number = self._new(key, _bytes(tensor), 0, constant=True)
        start = int(tensor.storage_offset()) if tensor.layout is torch.strided else 0
        parts = self._parts.setdefault(number, [])
        for first, last, known in parts:
            if (first, last) == (start, start + elements):
                self.names[name] = known
                return number
        parts.append((start, start + elements, name))
        if len(parts) == 1:
            self._sources[number] = (name,)
        else:
            self._shared[number] = parts
        self.names[name] = name
        counts = kind != "buffer" or (tensor.is_floating_point() and tensor.dim() > 0)
        self.constants[name] = Constant(elements, elements * tensor.element_size(), kind, counts)
        return number

    def _within(self, number: int, tensor: torch.Tensor) -> tuple[str, ...]:
        """Of the constants in one memory those that the tensor is a view of."""
        start = int(tensor.storage_offset())
        end = start + 1 + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))
        return tuple(name for first, last, name in self._shared[number] if first < end and start < last)

    def _seen(self, given: Any, inputs: list[Value]) -> Any:
        """The argument with Values in place of tensors, which are added to `inputs`."""
        if isinstance(given, torch.Tensor):
            value = self.value(given)
            inputs.append(value)
            return value
        if isinstance(given, (list, tuple)) and given and type(given[0]) is not int:
            return [self._seen(each, inputs) for each in given]
        return given

    def _made(self, tensor: torch.Tensor, given: Sequence[int], inputs: Sequence[Value], now: int) -> Value:
        key = _key(tensor)
        number = self._numbers.get(key)
        if number is not None and number in given:
            return self.value(tensor)
        number = self._new(key, _bytes(tensor), now)
        if not inputs or not all(value.sources for value in inputs):
            return Value(tensor.shape, tensor.dtype, number)
        sources = tuple(dict.fromkeys(name for value in inputs for name in value.sources))
        self._sources[number] = sources
        return Value(tensor.shape, tensor.dtype, number, sources)

    def _new(self, key: int, size: int, now: int, constant: bool = False) -> int:
        """The memory at `key` is new, whatever was there before."""
        number = self._numbers[key] = len(self.storages)
        self.storages.append(Storage(size, now, now, constant))
        return number


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
    """Products aren't computed, unless it turns out that what the network does depends on their numbers."""
    with watched() as numbers_were_read:
        try:
            with attributes_kept(module):  # else the second run would begin with what the first one left
                found = _record(module, structure, run, args, kwargs, device, skips=True)
        except NeedsNumbers:
            found = None
        if found is not None and not numbers_were_read():
            return found
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
        with recorder:
            results = run(module, args, kwargs, recorder.stack)
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


def _run_script(module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], stack: ModuleStack) -> Any:
    from onnxtile.torching.script import run_script

    return run_script(module, args, dict(kwargs), stack)


def only_looks(func: Any) -> bool:
    """Whether an operator only returns a view."""
    schema = func._schema
    name = schema.name.partition("::")[2]
    if name in _VIEWS or name in _RESHAPING:
        return True
    aliases = [each.alias_info for each in schema.returns]
    return bool(aliases) and not schema.is_mutable and all(each is not None for each in aliases)


def _key(tensor: torch.Tensor) -> int:
    """Tells the memory that a tensor is in from that of other tensors that are alive."""
    if tensor.layout is not torch.strided:
        return id(tensor)
    try:
        return tensor.untyped_storage()._cdata
    except NotImplementedError:  # one of a batch, inside vmap
        return _key(torch._C._functorch.get_unwrapped(tensor))


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().nbytes() if tensor.layout is torch.strided else 0
