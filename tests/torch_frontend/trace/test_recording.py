"""Test the recorder on odd networks: it counts them, or says unknown, or that it can't; never that they fail."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402

import onnxtile  # noqa: E402
from onnxtile.errors import UnsupportedError, UsageError  # noqa: E402
from onnxtile.ir.symbolic.amounts import Unknown  # noqa: E402
from onnxtile.torch_frontend.aten.products import PRODUCTS  # noqa: E402
from onnxtile.torch_frontend.trace import recorder  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


class Net(nn.Module):  # type: ignore[misc]  # torch's classes have no types
    """A Linear of 4 by 4, and a function that calls it; counts its runs in a list that is none of the network's."""

    def __init__(self, function: Callable[..., Any], runs: Callable[[int], None] = lambda run: None) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.function, self.runs = function, runs

    def forward(self, *args: Any) -> Any:
        self.runs(1)
        return self.function(self.layer, *args)


def told(function: Callable[..., Any], *inputs: Any) -> tuple[object, set[str], int]:
    """Multiply-accumulates in all, operators whose own are unknown, and how often the network ran."""
    runs: list[int] = []
    profile = onnxtile.profile(Net(function, runs.append), inputs=inputs)
    reasons = {row.macs.reason for row in profile.nodes if isinstance(row.macs, Unknown)}
    assert not any("formula" in reason for reason in reasons), reasons
    operators = {word for reason in reasons for word in reason.split() if "." in word}
    known = sum(row.macs for row in profile.nodes if isinstance(row.macs, int))
    return known, operators, len(runs)


X = torch.randn(3, 4)
LINEAR = 3 * 4 * 4
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that they are new
    NESTED = torch.nested.nested_tensor([torch.randn(2, 4), torch.randn(3, 4)])
    JAGGED = torch.nested.nested_tensor([torch.randn(2, 4), torch.randn(3, 4)], layout=torch.jagged)
    COO, CSR = X.to_sparse(), X.to_sparse_csr()


def in_inference_mode(layer: Any, x: Any) -> Any:
    with torch.inference_mode():
        return torch.matmul(layer(x), x.T)


@pytest.mark.parametrize(
    ("function", "inputs", "expected"),
    [
        (lambda layer, x: torch.vdot(x[0], x[1]), (X,), (4, set(), 1)),
        (lambda layer, x: (torch.equal(x, x), layer(x)), (X,), (LINEAR, set(), 1)),
        (lambda layer, x: layer(x) * x.sum().item(), (X,), (LINEAR, set(), 1)),
        (lambda layer, x: layer(x).sum().item(), (X,), (LINEAR, set(), 2)),
        (lambda layer, x: layer(x) if bool((x == x).all()) else x, (X,), (LINEAR, set(), 1)),
        (lambda layer, x: "nothing", (X,), (0, set(), 1)),
        (lambda layer, x: torch.linalg.inv(layer(x)[:, :3]), (X,),
         (LINEAR, {"aten.linalg_inv_ex", "aten._linalg_check_errors"}, 2)),
        (lambda layer, x: layer(x), (JAGGED,), (5 * 4 * 4, set(), 1)),
        (lambda layer, x: layer(x), (NESTED,), (0, {"aten.linear"}, 1)),
        (lambda layer, x: layer(torch.nested.to_padded_tensor(x, 0.0)), (NESTED,),
         (6 * 4 * 4, {"aten.to_padded_tensor"}, 1)),
        (lambda layer, x: x @ layer.weight, (COO,), (0, {"aten.mm"}, 1)),
        (lambda layer, x: x @ layer.weight, (CSR,), (0, {"aten.mm"}, 1)),
        (lambda layer, x: x @ x.T, (X.to(torch.complex64),), (3 * 4 * 3, set(), 1)),
        (lambda layer, x: x @ x.T, (X.to("meta"),), (3 * 4 * 3, set(), 1)),
        (lambda layer, x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8).int_repr(), (X,),
         (0, {"aten.quantize_per_tensor", "aten.int_repr"}, 1)),
        (in_inference_mode, (X,), (LINEAR + 3 * 4 * 3, set(), 1)),
        (lambda layer, x: torch.func.vmap(lambda row: torch.dot(row, row))(x), (X,), (3 * 4, set(), 1)),
        (lambda layer, x: torch._C._nn.mkldnn_linear(x.to_mkldnn(), layer.weight.to_mkldnn()).to_dense(), (X,),
         (LINEAR, {"aten.to_mkldnn", "aten._to_dense"}, 1)),
    ],
)  # fmt: skip
def test_networks_that_run_are_counted(
    function: Callable[..., Any], inputs: tuple[Any, ...], expected: tuple[object, set[str], int]
) -> None:
    Net(function)(*inputs)
    assert told(function, *inputs) == expected


def test_spectral_norm() -> None:
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(5, 6)).eval()
    assert onnxtile.profile(layer, inputs=torch.randn(3, 5)).totals.macs == 3 * 5 * 6 + 5 * 6 + 6


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda layer, x: {}["key"], "the model fails on these inputs: KeyError: 'key'"),
        (lambda layer, x: layer(x) @ x, "the model fails on these inputs: RuntimeError: mat1 and mat2 shapes"),
        (lambda layer, x: x.to("meta").sum().item(), "the model fails on these inputs: RuntimeError: Tensor.item"),
    ],
)
def test_a_failure_of_the_network_is_told_as_it_fails_unwatched(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        onnxtile.profile(Net(function), inputs=(X,))


def test_a_failure_of_ours_is_told_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula that fails costs its count; what watches the network and fails says so, and a network can't hide it."""

    def fails(*_: object) -> Any:
        raise KeyError("tensor")

    def catches(layer: Any, x: Any) -> Any:
        try:
            return layer(x)
        except Exception:
            return x

    monkeypatch.setitem(PRODUCTS, "aten.addmm", fails)
    row = next(row for row in onnxtile.profile(Net(catches), inputs=(X,)).nodes if row.op == "Linear")
    assert str(row.macs) == (
        "unknown: what torch's operator aten.addmm computes can't be told: its formula fails with KeyError: 'tensor'"
    )
    monkeypatch.undo()
    monkeypatch.setattr(recorder.Recorder, "_keep", fails)
    with pytest.raises(UnsupportedError, match="can't be recorded, at torch's operator aten.addmm: KeyError: 'tensor'"):
        onnxtile.profile(Net(catches), inputs=(X,))


def test_other_threads_cant_be_seen() -> None:
    def in_thread(layer: Any, x: Any) -> Any:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(layer(x)))
        thread.start()
        thread.join()
        return found[0]

    with pytest.raises(UnsupportedError, match="can't be recorded: module Linear runs in another thread, unseen"):
        onnxtile.profile(Net(in_thread), inputs=(X,))


def test_what_is_written_in_a_run_that_begins_anew_is_written_once() -> None:
    """Into inputs and buffers, by the network alone; zeros that stand for products never get there."""
    x = torch.zeros(3, 4)
    assert told(lambda layer, x: (x.add_(1), layer(x).sum().item()), x)[2] == 2
    assert torch.equal(x, torch.ones(3, 4))

    class Counts(nn.Module):  # type: ignore[misc]  # torch's classes have no types
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return x.copy_(self.layer(x)).tolist()

    net, given = Counts(), torch.randn(3, 4)
    expected = net.layer(given.clone())
    onnxtile.profile(net, inputs=(given,))
    assert net.calls == 1
    assert torch.equal(given, expected)
