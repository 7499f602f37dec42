"""A network and its inputs."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

from onnxtile.errors import UsageError  # noqa: E402  # the same
from onnxtile.torch_frontend.network import Network  # noqa: E402  # the same


class Scaled(nn.Module):
    def forward(self, x: Any, scale: Any = 1, shift: Any = 0) -> Any:
        return x * scale + shift


def test_inputs_are_put_in_the_order_of_forward() -> None:
    network = Network(Scaled(), (), {"scale": 2, "x": 1}).in_order()
    assert (network.args, network.kwargs) == ((1, 2), {})
    wrong = Network(Scaled(), (), {"nonesuch": 2})
    assert wrong.in_order() == wrong  # running it says what is wrong


def test_the_module_that_is_called() -> None:
    module = nn.Linear(2, 2)
    assert Network(module).module() is module
    exported = Network(torch.export.export(module, (torch.ones(1, 2),)))
    assert exported.is_exported and isinstance(exported.module(), torch.fx.GraphModule)
    assert Network(torch.jit.script(module)).is_scripted
    with pytest.raises(UsageError, match="can't run a int: give a module of torch or an exported program"):
        Network(7).module()  # type: ignore[arg-type]  # that's the point
