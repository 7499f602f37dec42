"""Sees the operators that torch calls, and keeps what they were called with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from onnxtile.errors import UsageError
from onnxtile.torching.calls import Call, Constant, ModuleFacts, Operator, Storage, Value
from onnxtile.torching.skipping import STAND_INS, NeedsNumbers, is_read, written
from onnxtile.torching.stack import ModuleStack
from onnxtile.torching.structure import Structure, tensors_in

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
        self._skips, self._stands_in = skips, False
        self._made_up: set[int] = set()
        self.asked = False
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
        results = self._run(func, operator, args, kwargs, inputs) if self._skips else func(*args, **kwargs)
        now, storages = len(self.calls), self.storages
        given = [value.storage for value in inputs]
        for number in given:
            storages[number].read = now
        if isinstance(results, torch.Tensor):
            outputs: tuple[Value, ...] = (self._made(results, given, inputs, now),)
        else:
            outputs = tuple([self._made(each, given, inputs, now) for each in tensors_in(results)])
        if self._stands_in or not self._made_up.isdisjoint(given):
            self._made_up.update([value.storage for value in outputs])
            self._stands_in = False
        assert self.stack.now is not None
        self.calls.append(Call(operator, arguments, keywords, tuple(inputs), outputs, self.stack.now))
        return results

    def refuse(self, tensor: torch.Tensor) -> None:
        """Raises NeedsNumbers for a tensor whose numbers weren't computed."""
        if self._numbers.get(_key(tensor)) in self._made_up:
            self.asked = True
            raise NeedsNumbers

    def _run(
        self, func: Any, operator: Operator, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Value]
    ) -> Any:
        """What the operator returns, or zeros in its place where it's a product with a parameter."""
        if any([value.storage in self._made_up for value in inputs]):  # noqa: C419  # quicker so
            changed = written(func, args, kwargs) if operator.changes else []
            writes = any(self.storages[self.value(each).storage].constant for each in changed)
            if writes or (operator.reads and is_read(func, args)):
                self.asked = True
                raise NeedsNumbers
        if operator.name in STAND_INS and not kwargs:
            left, right, make = STAND_INS[operator.name]
            if self.value(args[right]).sources and not self.value(args[left]).sources:
                result = make(*args)
                if result is not None:
                    self._stands_in = True
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
