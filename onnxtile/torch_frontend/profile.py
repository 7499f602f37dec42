"""Profile a network of torch: a row for each call of an operator that computes or copies something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from onnxtile.errors import wrong_name
from onnxtile.ir.symbolic.amounts import Unknown, largest, total
from onnxtile.operators.work import Operations
from onnxtile.profiling.results import CONVENTIONS, SUMMED, NodeProfile, Profile, Totals, Weights, sum_weights
from onnxtile.torch_frontend.aten.work import computes, macs_of, operations_of
from onnxtile.torch_frontend.ptflops import ptflops_macs
from onnxtile.torch_frontend.trace.calls import Call, ModuleCall, Recording, Unsized, Value

if TYPE_CHECKING:
    from onnxtile.engine.choice import Minimize
    from onnxtile.engine.given import AnyEngine
    from onnxtile.engine.limits import EngineLimits

DOMAIN = "torch"
"""The domain of rows of a torch network."""
_PACKED = Unknown("its weights are packed in an object of torch's own, which doesn't tell their sizes")


def profile_of(
    recording: Recording, convention: str = "macs", details: bool = False, engine: AnyEngine | None = None,
    minimize: Minimize = "cycles",
) -> Profile:  # fmt: skip
    """Return the profile of a run that was recorded: what every operator that the network calls costs.

    Everything is as `onnxtile.profile` tells of an ONNX model, and counted by the same formulas. Parameters count in
    the totals whether a call reads them or not; buffers only where they're floating-point numbers that one reads.
    `engine`, an Engine, a file or a built-in one's name: what the run takes on it, too. Raises UsageError.
    """
    if convention not in CONVENTIONS:
        raise wrong_name(f"convention {convention!r} is unknown", convention, CONVENTIONS)
    limits = None
    if engine is not None:
        from onnxtile.engine.limits import engine_limits

        limits = engine_limits(engine, minimize)
    return _Profiler(recording, convention, details).profile(limits)


class _Profiler:
    """Profiles one recording."""

    def __init__(self, recording: Recording, convention: str, details: bool) -> None:
        self._recording = recording
        self._convention = convention
        self._details = details
        self._names: dict[str, int] = {}
        self._weights = {
            name: Weights(held.elements, held.elements if held.kind == "buffer" else 0, held.bytes)
            for name, held in recording.constants.items()
            if held.counts and (held.kind != "buffer" or convention == "macs")
        }

    def profile(self, limits: EngineLimits | None) -> Profile:
        recording = self._recording
        live = list(_live_bytes(recording))
        calls = [(at, call) for at, call in enumerate(recording.calls) if computes(call)]
        rows = tuple(self._row(call, live[at]) for at, call in calls)
        on_engine = None
        if limits is not None:
            from onnxtile.torch_frontend.engine_profile import engine_profile

            on_engine = engine_profile(recording, zip((call for _, call in calls), rows, strict=True), limits)
        return Profile(rows, self._totals(rows), self._used(rows), {}, self._convention, on_engine)

    def _row(self, call: Call, live: int) -> NodeProfile:
        constants = self._feeding(call)
        weights = sum_weights([self._weights[name] for name in constants]) if constants else Weights()
        if _has_packed(call):
            weights = Weights(_PACKED, 0, _PACKED)
        if self._convention == "macs":
            macs, other = macs_of(call), operations_of(call)
        else:
            macs, other = ptflops_macs(call), Operations()
        return NodeProfile(
            name=self._name(call), op=op_of(call), domain=DOMAIN, module=call.module.path, macs=macs,
            elementwise=other.elementwise, transcendental=other.transcendental, comparison=other.comparison,
            movement=other.movement, params=weights.params, buffers=weights.buffers, weight_bytes=weights.bytes,
            input_bytes=self._bytes(call.inputs), output_bytes=self._bytes(call.outputs), live_bytes=live,
            constants=constants, **(_details(call) if self._details else {}),
        )  # fmt: skip

    def _feeding(self, call: Call) -> tuple[str, ...]:
        """Return the names of the weights that the call reads, or that what it reads is computed from alone."""
        names = [name for value in call.inputs for name in value.sources if name in self._weights]
        return tuple(dict.fromkeys(names)) if len(names) > 1 else tuple(names)

    def _bytes(self, values: Sequence[Value]) -> int:
        """Return the bytes of values, once each; of one that is spread over more elements than there are, of those."""
        bytes_of = self._recording.bytes_of
        return sum(bytes_of(value) for at, value in enumerate(values) if not at or value not in values[:at])

    def _name(self, call: Call) -> str:
        operator = call.operator.name.rpartition(".")[2]
        name = f"{call.module.path}/{operator}" if call.module.path else operator
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}.{count}"

    def _used(self, rows: Sequence[NodeProfile]) -> dict[str, Weights]:
        """Return all parameters, and buffers that some call reads."""
        read = {name for row in rows for name in row.constants}
        return {
            name: weights
            for name, weights in self._weights.items()
            if name in read or self._recording.constants[name].kind != "buffer"
        }

    def _totals(self, rows: Sequence[NodeProfile]) -> Totals:
        packed = [Weights(_PACKED, 0, _PACKED)] if any(isinstance(row.params, Unknown) for row in rows) else []
        weights = sum_weights([*self._used(rows).values(), *packed, Weights()])
        live = largest({row.live_bytes for row in rows})
        return Totals(
            **{field: total(getattr(row, field) for row in rows) for field in SUMMED},
            params=weights.params, buffers=weights.buffers, weight_bytes=weights.bytes, nodes=len(rows),
            trainable=self._recording.elements("trainable"), frozen=self._recording.elements("frozen"),
            activation_bytes=self._activations(), peak_bandwidth=largest({row.bandwidth for row in rows}),
            peak_live_bytes=total([live, weights.bytes]),
            peak_live_bytes_streamed=largest({total([row.live_bytes, row.weight_bytes]) for row in rows}),
        )  # fmt: skip

    def _activations(self) -> int:
        """Return the bytes of what layers, and operators outside of them, return: the first result, and those read."""
        layers = [
            call.outputs
            for call in self._recording.module_calls
            if call.layer and not (call.parent and in_layer(call.parent))
        ]
        others = [call.outputs for call in self._recording.calls if computes(call) and not in_layer(call.module)]
        return sum(self._bytes(self._kept(outputs)) for outputs in (*layers, *others))

    def _kept(self, outputs: tuple[Value, ...]) -> Sequence[Value]:
        """Return the first output, and those others that are read or returned."""
        if len(outputs) < 2:
            return outputs
        storages = self._recording.storages
        return [outputs[0], *(value for value in outputs[1:] if storages[value.storage].was_read)]


def _has_packed(call: Call) -> bool:
    """Return whether a call gets weights that torch keeps in objects of its own, as quantized modules do."""
    return any(isinstance(value, torch.ScriptObject) for value in (*call.arguments, *call.keywords.values()))


def op_of(call: Call) -> str:
    """Return what people call it: the class of the innermost module, where no modules are in it; else the operator."""
    module = call.module
    if module.layer or (module.leaf and module.path):
        return module.kind
    return call.operator.name.removeprefix("aten.")


def in_layer(module: ModuleCall) -> bool:
    """Return whether a module that runs is a layer, or is called by one."""
    around: ModuleCall | None = module
    while around is not None and not around.layer:
        around = around.parent
    return around is not None


def _live_bytes(recording: Recording) -> Iterator[int]:
    """Yield the bytes alive during each call, without constants: from their first call to the last that reads them."""
    changes = [0] * (len(recording.calls) + 2)
    for storage in recording.storages:
        if not storage.constant:
            changes[storage.first_call] += storage.bytes
            changes[storage.last_call + 1] -= storage.bytes
    alive = 0
    for change in changes[: len(recording.calls)]:
        alive += change
        yield alive


def value_text(value: Value) -> str:
    """Return its type and shape: `float32[1,3,4]`."""
    sizes = value.shape.kind if isinstance(value.shape, Unsized) else ",".join(map(str, value.shape))
    return f"{str(value.dtype).removeprefix('torch.')}[{sizes}]"


def _details(call: Call) -> dict[str, Any]:
    return {
        "inputs": tuple(value_text(value) for value in call.inputs),
        "outputs": tuple(value_text(value) for value in call.outputs),
        "attributes": {name: str(value) for name, value in call.named_arguments().items() if _is_plain(value)},
    }


def _is_plain(argument: object) -> bool:
    if isinstance(argument, list):
        return bool(argument) and all(map(_is_plain, argument))
    return isinstance(argument, (int, float, str, torch.dtype))
