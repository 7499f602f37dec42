"""See the operators that torch calls, and keep what they were called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from onnxtile.errors import UsageError
from onnxtile.torch_frontend.load import described
from onnxtile.torch_frontend.nesting import tensors_in
from onnxtile.torch_frontend.network import Structure
from onnxtile.torch_frontend.trace.calls import Call, Constant, ConstantKind, ModuleFacts, Operator, Storage, Value
from onnxtile.torch_frontend.trace.higher_order import decomposed
from onnxtile.torch_frontend.trace.memory import bytes_of, key_of, shape_of
from onnxtile.torch_frontend.trace.module_stack import ModuleStack
from onnxtile.torch_frontend.trace.skipping import STAND_INS, NeedsNumbers, WatchingError, is_read, written

_VIEWS = ("_unsafe_view", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "lift", "lift_fresh")
"""Operators that return views although their schemas don't say so."""
_RESHAPING = ("squeeze_", "unsqueeze_", "transpose_", "t_", "as_strided_", "detach_", "resize_", "swapaxes_", "set_")
"""Operators whose schemas say that they change a tensor, and which change only how it's looked at."""
_PLAIN = (int, float, bool, str, type(None))


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's has no types
    """Sees every operator that reaches a backend, and keeps what it was called with: no tensor, only shapes."""

    supports_higher_order_operators = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch wraps every call below, which takes longer than all else, and imports its compiler

    def __init__(self, modules: Mapping[str, ModuleFacts], skips: bool = False) -> None:
        """`skips`: leave out the arithmetic of products, as `skipping` says."""
        self.numbers_needed = False
        """The network asked for numbers that were left out, and may have caught the error: it has to run again."""
        self._skips = skips
        self._just_stood_in = False
        """Zeros stand for what the operator that is about to be kept gives."""
        self._zeros: set[int] = set()
        """Storages in which zeros stand for numbers that weren't computed."""
        self._saved: dict[int, tuple[Any, Any]] = {}
        """Memory that was written to: of parameters, buffers and inputs, with a copy from before."""
        self._first_result = 0
        """Storages below this number were there before the run: parameters, buffers and inputs."""
        super().__init__()  # type: ignore[no-untyped-call]  # the same
        self.stack = ModuleStack(modules, self.values)
        self.calls: list[Call] = []
        self.storages: list[Storage] = []
        self.constants: dict[str, Constant] = {}
        self.names: dict[str, str] = {}
        self._numbers: dict[int, int] = {}
        """The number of the storage at a key (see `key_of`)."""
        self._sources: dict[int, tuple[str, ...]] = {}
        """Names of the constants that a storage was computed from, or is, where it's from constants alone."""
        self._constants_in: dict[int, list[tuple[int, int, str]]] = {}
        """The constants in a storage: first element, the one behind the last, and name."""
        self._shared: dict[int, list[tuple[int, int, str]]] = {}
        """The same, of storages that several constants share."""
        self._handlers: dict[Any, Operator | Callable[..., Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if types and any([hasattr(kind, "__tensor_flatten__") for kind in types]):  # noqa: C419  # quicker so
            return NotImplemented  # tensors of other tensors: the operators on those come here
        inputs: list[Value] = []
        try:
            try:
                handler = self._handlers[func]
            except KeyError:
                handler = self._handlers[func] = handler_of(func)
            if not isinstance(handler, Operator) and handler is not func and any(map(_is_nested, args)):
                handler = Operator(func)  # nested tensors have kernels of their own
            if isinstance(handler, Operator):  # before the call, which may change them
                arguments = [value if type(value) in _PLAIN else self._seen(value, inputs) for value in args]
                keywords = {name: self._seen(value, inputs) for name, value in kwargs.items()} if kwargs else kwargs
                stand_in = self._stand_in(func, handler, args, kwargs, inputs) if self._skips else None
        except Exception as error:
            raise _failure(func, error) from error
        if not isinstance(handler, Operator):
            if handler is func:
                return handler(*args, **kwargs)
            with self:  # it's made of others, which come here
                return handler(*args, **kwargs)
        results = func(*args, **kwargs) if stand_in is None else stand_in
        try:
            self._keep(handler, arguments, keywords, inputs, results)
        except Exception as error:
            raise _failure(func, error) from error
        return results

    def _keep(
        self,
        operator: Operator,
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        inputs: list[Value],
        results: Any,
    ) -> None:
        """Put the call on record."""
        call_number, storages = len(self.calls), self.storages
        read = [value.storage for value in inputs]
        for number in read:
            storages[number].last_call = call_number
        if isinstance(results, torch.Tensor):
            outputs: tuple[Value, ...] = (self._result(results, read, inputs, call_number),)
        else:
            outputs = tuple([self._result(tensor, read, inputs, call_number) for tensor in tensors_in(results)])
        if self._just_stood_in or not self._zeros.isdisjoint(read):
            self._zeros.update([value.storage for value in outputs])
            self._just_stood_in = False
        assert self.stack.now is not None
        self.calls.append(Call(operator, arguments, keywords, tuple(inputs), outputs, self.stack.now))

    @property
    def stands_in(self) -> bool:
        """Return whether zeros stand for any result."""
        return bool(self._zeros)

    def refuse(self, tensor: torch.Tensor) -> None:
        """Raise NeedsNumbers for a tensor whose numbers weren't computed."""
        if self._numbers.get(key_of(tensor)) in self._zeros:
            self.numbers_needed = True
            raise NeedsNumbers

    def _stand_in(
        self, func: Any, operator: Operator, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Value]
    ) -> Any:
        """Return zeros for what a product with a parameter gives; None where the operator is to be computed."""
        changed = written(func, args, kwargs) if operator.changes else []
        if any([value.storage in self._zeros for value in inputs]):  # noqa: C419  # quicker so
            writes = any(self.value(tensor).storage < self._first_result for tensor in changed)
            if writes or (operator.reads and is_read(func, args)):
                self.numbers_needed = True
                raise NeedsNumbers
        for tensor in changed:
            self._save(tensor)
        if operator.name in STAND_INS and not kwargs:
            left, right, make = STAND_INS[operator.name]
            if self.value(args[right]).sources and not self.value(args[left]).sources:
                result = make(*args)
                if result is not None:
                    self._just_stood_in = True
                    return result
        return None

    def _save(self, tensor: torch.Tensor) -> None:
        """Keep the memory of a parameter, a buffer or an input as it is before it's written to."""
        number = self.value(tensor).storage
        if number < self._first_result and number not in self._saved and tensor.layout is torch.strided:
            storage = tensor.untyped_storage()
            self._saved[number] = storage, storage.clone()

    def restore(self) -> None:
        """Give parameters, buffers and inputs what they held before the run, which is to begin anew."""
        for storage, before in self._saved.values():
            if storage.nbytes() == before.nbytes():
                storage.copy_(before)
        self._saved.clear()

    def value(self, tensor: torch.Tensor) -> Value:
        """Return what is kept of a tensor."""
        number = self._numbers.get(key_of(tensor))
        if number is None:  # a tensor that is neither a parameter, nor a buffer, nor made by an operator
            number = self._hold(f"constant {len(self.constants)}", tensor, "buffer")
        sources = self._sources.get(number, ())
        if number in self._shared:
            sources = self._within(number, tensor)
        return Value(shape_of(tensor), tensor.dtype, number, sources)

    def values(self, nested: object) -> tuple[Value, ...]:
        """Return what is kept of all tensors in lists, tuples and dicts."""
        if isinstance(nested, torch.Tensor):
            return (self.value(nested),)
        return tuple([self.value(tensor) for tensor in tensors_in(nested)])

    def hold_constants(self, structure: Structure) -> None:
        """Hold parameters and buffers, once each, by the first of their names."""
        for name, tensor in structure.parameters:
            if torch.nn.parameter.is_lazy(tensor):
                raise UsageError(f"parameter {name!r} has no shape yet; call the model once before")
            self._hold(name, tensor, "trainable" if tensor.requires_grad else "frozen")
        for name, tensor in structure.buffers:
            self._hold(name, tensor, "buffer")

    def hold_inputs(self, inputs: object) -> tuple[Value, ...]:
        """Hold what the network is called with, which is alive from the start."""
        for tensor in tensors_in(inputs):
            if key_of(tensor) not in self._numbers:
                self._new(key_of(tensor), bytes_of(tensor), 0)
        self._first_result = len(self.storages)
        return self.values(inputs)

    def _hold(self, name: str, tensor: torch.Tensor, kind: ConstantKind) -> int:
        """Hold a constant; several may be parts of one memory, or the same part under two names."""
        key, elements = key_of(tensor), tensor.numel()
        number = self._numbers.get(key)
        if number is None:
            number = self._new(key, bytes_of(tensor), 0, constant=True)
        start = int(tensor.storage_offset()) if tensor.layout is torch.strided else 0
        parts = self._constants_in.setdefault(number, [])
        for first, last, first_name in parts:
            if (first, last) == (start, start + elements):
                self.names[name] = first_name
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
        """Return those of the constants in one memory that the tensor is a view of."""
        start = int(tensor.storage_offset())
        end = start + 1 + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))
        return tuple(name for first, last, name in self._shared[number] if first < end and start < last)

    def _seen(self, argument: Any, inputs: list[Value]) -> Any:
        """Return the argument with Values in place of tensors, which are added to `inputs`."""
        if isinstance(argument, torch.Tensor):
            value = self.value(argument)
            inputs.append(value)
            return value
        if isinstance(argument, (list, tuple)) and argument and type(argument[0]) is not int:
            return [self._seen(item, inputs) for item in argument]
        return argument

    def _result(self, tensor: torch.Tensor, read: Sequence[int], inputs: Sequence[Value], call_number: int) -> Value:
        """Return the Value of a result, which is new memory unless it's one of those that were read."""
        key = key_of(tensor)
        number = self._numbers.get(key)
        if number is not None and number in read:
            return self.value(tensor)
        number = self._new(key, bytes_of(tensor), call_number)
        if not inputs or not all(value.sources for value in inputs):
            return Value(shape_of(tensor), tensor.dtype, number)
        sources = tuple(dict.fromkeys(name for value in inputs for name in value.sources))
        self._sources[number] = sources
        return Value(shape_of(tensor), tensor.dtype, number, sources)

    def _new(self, key: int, size: int, call_number: int, constant: bool = False) -> int:
        """Number the memory at `key`, which is new, whatever was there before."""
        number = self._numbers[key] = len(self.storages)
        self.storages.append(Storage(size, call_number, call_number, constant))
        return number


def handler_of(func: Any) -> Operator | Callable[..., Any]:
    """Return the operator to be kept; or what is to be called for one that needn't be, or that is made of others."""
    function = decomposed(func)
    if function is not None:
        return function
    return func if hasattr(func, "_schema") and is_view(func) else Operator(func)


def is_view(func: Any) -> bool:
    """Return whether an operator only returns a view."""
    schema = func._schema
    name = schema.name.partition("::")[2]
    if name in _VIEWS or name in _RESHAPING:
        return True
    aliases = [value.alias_info for value in schema.returns]
    return bool(aliases) and not schema.is_mutable and all(alias is not None for alias in aliases)


def _is_nested(argument: Any) -> bool:
    return isinstance(argument, torch.Tensor) and argument.is_nested


def _failure(func: Any, error: Exception) -> WatchingError:
    """Return what ends the run: a fault of what watches it."""
    name = str(func._schema.name).replace("::", ".") if hasattr(func, "_schema") else str(func)
    return WatchingError(f"torch's operator {name}: {described(error)}")
