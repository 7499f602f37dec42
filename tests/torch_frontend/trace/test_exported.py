"""Exported programs are run operator by operator, and count as the modules that they come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

import onnxtile  # noqa: E402  # the same
from onnxtile.errors import UsageError  # noqa: E402  # the same
from onnxtile.profiling.results import Weights, sum_weights  # noqa: E402  # the same
from onnxtile.torch_frontend.trace.exported import modules_of_exported, run_exported  # noqa: E402  # the same
from onnxtile.torch_frontend.trace.module_stack import ModuleWatcher  # noqa: E402  # the same
from tests.torch_support import Small, profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


class Sequence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.gru = nn.GRU(6, 5, batch_first=True)
        self.lstm = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.norm(self.lstm(self.gru(self.embedding(ids))[0])[0])


@pytest.mark.parametrize(("make", "inputs"), [(Small, (some(1, 3, 4, 4),)), (Sequence, (torch.tensor([[1, 2, 3]]),))])
def test_a_module_an_exported_program_and_onnx_agree(make: Callable[[], Any], inputs: tuple[Any, ...]) -> None:
    network = make().eval()
    program = torch.export.export(network, inputs)
    of_module, of_program = profile_torch(network, inputs), profile_torch(program, inputs)
    assert of_program.totals == of_module.totals
    assert [(row.op, row.module, row.macs) for row in of_program.nodes] == [
        (row.op, row.module, row.macs) for row in of_module.nodes
    ]
    exported = torch.onnx.export(network, inputs, dynamo=True, opset_version=22, optimize=False, verbose=False)
    of_onnx = onnxtile.profile(exported.model_proto)
    # the exporter's own constants are zeros, which recurrent layers start with
    weights = sum_weights([each for name, each in of_onnx.constants.items() if not name.startswith("val_")])
    assert weights == Weights(of_module.totals.params, of_module.totals.buffers, of_module.totals.weight_bytes)
    assert of_onnx.totals.macs == of_module.totals.macs


def test_an_exported_program_refuses_other_inputs() -> None:
    program = torch.export.export(nn.Linear(4, 5), (some(2, 4),))
    with pytest.raises(UsageError, match="the exported program takes"):
        profile_torch(program, (some(2, 4), some(2, 4)))


class Noted(ModuleWatcher):
    def __init__(self) -> None:
        self.events: list[str] = []
        self.taken: dict[str, Any] = {}

    def enter(self, path: str, kind: str) -> None:
        self.events.append(f"{path or 'root'} {kind}")

    def leave(self, outputs: object) -> None:
        self.events.append("end")

    def take(self, path: str, kind: str, output: object) -> None:
        self.taken[path] = output


def test_modules_are_entered_and_left_and_give_what_others_read() -> None:
    class Splits(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.split(2, dim=-1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.splits = nn.Linear(4, 4), Splits()

        def forward(self, x: Any) -> Any:
            first, second = self.splits(self.fc(x))
            return first + second

    x, watcher = some(3, 4), Noted()
    net = Net()
    graph: Any = torch.export.export(net, (x,)).module()
    with torch.no_grad():
        output = run_exported(graph, (x,), {}, watcher)
        expected = net(x)
    assert torch.equal(output, expected)  # type: ignore[arg-type]  # it's a tensor
    assert watcher.events == ["root Net", "fc Linear", "end", "splits Splits", "end", "end"]
    assert torch.equal(watcher.taken["fc"], net.fc(x))
    assert [tensor.shape for tensor in watcher.taken["splits"]] == [(3, 2), (3, 2)]
    assert [(facts.path, facts.kind, facts.parameters) for facts in modules_of_exported(graph).values()] == [
        ("", "Net", []), ("fc", "Linear", ["fc.weight", "fc.bias"]), ("splits", "Splits", []),
    ]  # fmt: skip
