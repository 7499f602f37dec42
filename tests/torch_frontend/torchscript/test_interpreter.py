"""A ScriptModule that is followed gives what it gives when torch runs it, and each call of a module is told once."""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

from onnxtile.torch_frontend.torchscript.interpreter import run_script  # noqa: E402  # torch may be missing
from onnxtile.torch_frontend.trace.module_stack import ModuleWatcher  # noqa: E402  # the same
from tests import torch_scripts  # noqa: E402

NETWORKS = torch_scripts.networks()
UNTRACEABLE = {"loops 5", "loops none", "containers", "interface", "interface 0", "named", "keeper"}
"""Inputs or outputs that tracing doesn't take, or modules that it leaves out."""
WHOLE = {"strange": "strange", "strange filler": "", "keeper": ""}
"""Networks that hold what isn't followed, and the module that runs whole for it."""


class Stack(ModuleWatcher):
    def __init__(self) -> None:
        self.open: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.outputs: list[str] = []
        self.whole: dict[str, str] = {}

    def enter(self, path: str, kind: str) -> None:
        self.calls.append((path, kind))
        self.open.append(path)

    def leave(self, outputs: object) -> None:
        self.open.pop()

    def take(self, path: str, kind: str, output: object) -> None:
        self.outputs.append(path)

    def skip(self, path: str, kind: str, reason: str) -> None:
        self.whole[path] = reason


def told(network: Any, args: tuple[object, ...]) -> list[tuple[str, str]]:
    """The calls that hooks see in the module before it's scripted."""
    if isinstance(network, torch_scripts.Interfaced):  # which calls forward itself, as interfaces have to be called
        last = "layers.0 Gate, layers.0.layer Linear" if args[1:] == (0,) else "layers.1 Cap"
        return [tuple(call.split(" ")) for call in f" Interfaced, act Gate, act.layer Linear, {last}".split(", ")]
    calls: list[tuple[str, str]] = []
    paths = {module: path for path, module in network.named_modules()}
    hooks = [
        module.register_forward_pre_hook(lambda each, _: calls.append((paths[each], type(each).__name__)))
        for module in network.modules()
    ]
    with torch.no_grad():
        network(*copy.deepcopy(args))
    for hook in hooks:
        hook.remove()
    return calls


def scripted(network: Any, args: tuple[object, ...], how: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing keeps one way through the network, and says so
        if how == "script":
            made = torch.jit.script(network)
        else:
            made = torch.jit.trace(network, args, check_trace=False, strict=False)
    file = io.BytesIO()
    torch.jit.save(made, file)
    file.seek(0)
    return torch.jit.load(file)


def same(found: object, wanted: object) -> bool:
    assert type(found) is type(wanted) or (isinstance(found, tuple) and isinstance(wanted, tuple))
    if isinstance(wanted, torch.Tensor):
        return bool(torch.equal(found, wanted)) and found.dtype == wanted.dtype
    if isinstance(wanted, dict):
        return list(found) == list(wanted) and all(same(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, (list, tuple)):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    return found == wanted


CASES = [(name, how) for name in NETWORKS for how in ("script", "trace") if how == "script" or name not in UNTRACEABLE]


@pytest.mark.parametrize(("name", "how"), CASES)
def test_followed_modules_give_the_same_and_are_told_like_those_before_scripting(name: str, how: str) -> None:
    network, args = NETWORKS[name]
    network = copy.deepcopy(network).eval()
    module = scripted(network, args, how)
    stack = Stack()
    given = copy.deepcopy(args)
    with torch.set_grad_enabled(name == "attention"):  # which takes a path of its own where there are no gradients
        found = run_script(copy.deepcopy(module) if name == "keeper" else module, given, {}, stack)
        assert same(found, module(*copy.deepcopy(args)))
    assert same(list(given), list(args))  # a list that a module changes is a copy of the caller's
    assert stack.open == []
    assert sorted(stack.outputs) == sorted(path for path, _ in stack.calls)
    expected = told(network, args)
    if how == "script" and name in WHOLE:
        at = WHOLE[name]
        assert list(stack.whole) == [at]
        expected = [call for call in expected if at and (call[0] == at or not call[0].startswith(f"{at}."))] or [
            ("", type(network).__name__)
        ]
    else:
        assert not stack.whole
    assert stack.calls == expected


def test_state_changes_once() -> None:
    network, args = NETWORKS["methods"]
    module = torch.jit.script(copy.deepcopy(network))
    run_script(module, args, {}, Stack())
    assert float(module.seen) == 1.0


def test_keywords_and_defaults() -> None:
    network, (x,) = NETWORKS["loops"]
    module = torch.jit.script(network)
    assert same(run_script(module, (), {"steps": 2, "x": x}, Stack()), module(x, 2))
    assert same(run_script(module, (x,), {}, Stack()), module(x))


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1,), {}), ((torch.ones(1, 4),), {"nonesuch": 1})])
def test_wrong_inputs_are_told_as_torch_tells_them(args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    module = torch.jit.script(NETWORKS["twice"][0])
    with pytest.raises((RuntimeError, TypeError)) as wanted:
        module(*args, **kwargs)
    with pytest.raises((RuntimeError, TypeError)) as found:
        run_script(module, args, kwargs, Stack())
    assert str(found.value) == str(wanted.value)


def test_one_item_is_unpacked() -> None:
    class Unpacks(torch.nn.Module):
        def forward(self, x: list[torch.Tensor], y: tuple[torch.Tensor]) -> torch.Tensor:
            (a,) = x
            (b,) = y
            return a + b

    module, stack = torch.jit.script(Unpacks()), Stack()
    inputs = ([torch.ones(2)], (torch.ones(2),))
    assert same(run_script(module, inputs, {}, stack), module(*inputs))
    assert not stack.whole


def test_an_exception_of_the_model() -> None:
    class Refuses(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.sum() > 0:
                raise ValueError("positive")
            return x

    module = torch.jit.script(Refuses())
    with pytest.raises(torch.jit.Error, match="positive"):
        run_script(module, (torch.ones(2),), {}, Stack())
    assert same(run_script(module, (-torch.ones(2),), {}, Stack()), -torch.ones(2))


def test_a_warning_of_the_model() -> None:
    class Warns(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            warnings.warn("careful", stacklevel=2)
            return x * 2

    stack = Stack()
    with pytest.warns(UserWarning, match="careful"):
        assert same(run_script(torch.jit.script(Warns()), (torch.ones(2),), {}, stack), torch.ones(2) * 2)
    assert stack.calls == [("", "Warns")]


def test_dropout_draws_the_same_numbers() -> None:
    module = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5)))
    x = torch.ones(8, 4)
    torch.manual_seed(1)
    found = run_script(module, (x,), {}, Stack())
    torch.manual_seed(1)
    assert same(found, module(x))


def test_hooks_that_were_scripted_run() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())
    network[0].register_forward_hook(torch_scripts.halve)
    x = torch.ones(2, 4)
    inside, stack = torch.jit.script(network), Stack()
    assert same(run_script(inside, (x,), {}, stack), network(x))
    assert [path for path, _ in stack.calls] == ["", "0", "1"]
    root = torch.jit.script(network[0])
    stack = Stack()
    assert same(run_script(root, (x,), {}, stack), network[0](x))
    assert stack.whole == {"": "it has hooks of its own"}
