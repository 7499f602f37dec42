"""Methods are translated before anything runs, and what isn't known has its reason."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.torch_frontend.torchscript.programs import (  # noqa: E402  # the same
    Program,
    Programs,
    ScriptedModule,
    UnknownError,
    shares_containers,
)
from tests import torch_scripts  # noqa: E402  # the same


def translated(network: Any, path: str = "") -> Program | UnknownError:
    module = ScriptedModule.of(torch.jit.script(network)._c)
    for name in filter(None, path.split(".")):
        child = module.child(name)
        assert child is not None
        module = child
    return Programs().of(module, "forward")


def test_a_program_is_made_once_and_has_steps() -> None:
    program = translated(torch_scripts.networks()["nested"][0])
    assert isinstance(program, Program) and program.steps and len(program.outputs) == 1


def test_what_isnt_known_has_its_reason() -> None:
    program = translated(torch_scripts.networks()["strange"][0], "strange")
    assert isinstance(program, UnknownError) and str(program) == "prim::CreateObject isn't known"


def test_lists_that_are_changed_or_given_back_are_shared() -> None:
    def changes(x: list[int]) -> int:
        x.append(1)
        return 0

    def reads(x: list[int]) -> int:
        return x[0]

    assert shares_containers(torch.jit.script(changes).graph)
    assert not shares_containers(torch.jit.script(reads).graph)
