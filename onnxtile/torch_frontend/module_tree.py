"""Show the architecture of a network: its modules as a tree, with what they return, hold and compute."""

from __future__ import annotations

from collections.abc import Iterator

from onnxtile.ir.symbolic.amounts import Amount, total
from onnxtile.profiling.results import Profile
from onnxtile.torch_frontend.profile import profile_of, value_text
from onnxtile.torch_frontend.trace.calls import ModuleCall, ModuleFacts, Recording
from onnxtile.torch_frontend.tree_results import Branch, Tree, TreeTotals


def tree_of(recording: Recording, depth: int | None = None) -> Tree:
    """Return the modules of a network whose run was recorded, down to a depth (None: all)."""
    profile = profile_of(recording)
    branches = _Branches(recording, profile).below(recording.modules[""], 0, True, depth)
    return Tree(tuple(branches), _totals(recording, profile), profile)


class _Branches:
    """Describes the modules of one recording."""

    def __init__(self, recording: Recording, profile: Profile) -> None:
        self._recording = recording
        self._calls: dict[str, list[ModuleCall]] = {}
        for call in recording.module_calls:
            self._calls.setdefault(call.path, []).append(call)
        self._macs: dict[str, list[Amount]] = {}
        for row in profile.nodes:
            for path in _with_outer(row.module):
                self._macs.setdefault(path, []).append(row.macs)

    def below(self, module: ModuleFacts, level: int, last: bool, depth: int | None) -> Iterator[Branch]:
        """Yield a module at a level of the tree, and those in it down to a depth."""
        calls, constants = self._calls.get(module.path, []), self._recording.constants
        held = [constants[name] for name in dict.fromkeys(self._held(module))]
        yield Branch(
            path=module.path, kind=module.kind, depth=level, last=last, calls=len(calls),
            outputs=tuple(value_text(value) for value in calls[0].outputs) if calls else (),
            params=sum(constant.elements for constant in held),
            trainable=sum(constant.elements for constant in held if constant.kind == "trainable"),
            own_params=sum(constants[name].elements for name in self._own(module)),
            macs=total(self._macs.get(module.path, [])),
        )  # fmt: skip
        if depth is None or level < depth:
            for path in module.children:
                inner = self._recording.modules.get(path)
                if inner is not None:  # a module under a second name is listed under its first
                    yield from self.below(inner, level + 1, path == module.children[-1], depth)

    def _held(self, module: ModuleFacts) -> Iterator[str]:
        """Yield the names of the parameters of a module and of all in it."""
        yield from self._own(module)
        for path in module.children:
            if path in self._recording.modules:
                yield from self._held(self._recording.modules[path])

    def _own(self, module: ModuleFacts) -> list[str]:
        names = self._recording.names
        return list(dict.fromkeys(names[name] for name in module.parameters if name in names))


def _with_outer(path: str) -> Iterator[str]:
    """Yield the paths of a module and of those around it."""
    yield path
    while path:
        path = path.rpartition(".")[0]
        yield path


def _totals(recording: Recording, profile: Profile) -> TreeTotals:
    trainable, frozen = recording.elements("trainable"), recording.elements("frozen")
    returned = [
        recording.bytes_of(call.outputs[0])
        for call in recording.module_calls
        if call.outputs and call.path in recording.modules and _is_layer(recording.modules[call.path])
    ]
    return TreeTotals(
        params=trainable + frozen, trainable=trainable, frozen=frozen, buffers=recording.elements("buffer"),
        macs=profile.totals.macs,
        layers=sum(call.leaf for call in recording.module_calls),
        activation_bytes=profile.totals.activation_bytes,
        input_bytes=sum(map(recording.bytes_of, recording.inputs)), forward_backward_bytes=2 * sum(returned),
        params_bytes=sum(constant.bytes for constant in recording.constants.values() if constant.kind != "buffer"),
    )  # fmt: skip


def _is_layer(module: ModuleFacts) -> bool:
    """Return whether a module has parameters of its own, and no modules."""
    return bool(module.parameters) and not module.children
