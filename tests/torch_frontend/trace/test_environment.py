"""Test what a network is and does when it's profiled: as in a plain run, and afterwards as it was."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

import onnxtile  # noqa: E402  # torch may be missing
from onnxtile.cli.app import app  # noqa: E402
from onnxtile.errors import UsageError  # noqa: E402
from onnxtile.ir.symbolic.amounts import Range  # noqa: E402
from onnxtile.torch_frontend.load import load  # noqa: E402
from tests.torch_support import Call, profile_torch, some  # noqa: E402

nn = torch.nn


class Cached(nn.Module):
    """Keeps what it was given: the second run would see more than the first. Asks for numbers after that."""

    def __init__(self, asks: bool) -> None:
        super().__init__()
        self.asks = asks
        self.layer = nn.Linear(4, 4)
        self.register_buffer("last", torch.zeros(1))
        self.keys: Any = None
        self.seen: list[Any] = []

    def forward(self, x: Any) -> Any:
        key = self.layer(x)
        self.keys = key if self.keys is None else torch.cat([self.keys, key])
        self.seen.append(key)
        self.last = key
        scores = x @ self.keys.T
        return scores + 1 if self.asks and scores.sum() > 0 else scores


def macs(model: Any, *inputs: Any) -> Any:
    return onnxtile.profile(model, inputs=inputs).totals.macs


def test_a_network_that_runs_twice_begins_anew() -> None:
    net = Cached(asks=True)
    assert macs(net, torch.randn(2, 4)) == 2 * 4 * 4 + 2 * 4 * 2
    assert net.keys.shape == (2, 4)
    assert len(net.seen) == 1


def test_zeros_that_stand_for_products_stay_nowhere() -> None:
    net = Cached(asks=False)
    macs(net, torch.randn(2, 4))
    assert net.keys is None
    assert net.seen == []
    assert torch.equal(net.last, torch.zeros(1))
    assert dict(net.named_buffers()).keys() == {"last"}


def test_attention_in_torchscript_is_seen_in_parts() -> None:
    layer, x = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval(), torch.randn(2, 5, 16)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(layer), buffer)
    buffer.seek(0)
    expected = macs(layer, x)
    assert expected == 22080
    assert macs(torch.jit.script(layer), x) == expected
    assert macs(torch.jit.load(buffer), x) == expected
    assert torch.backends.mha.get_fastpath_enabled()


def test_inference_mode_hides_nothing() -> None:
    net = nn.Sequential(nn.Conv1d(2, 3, 1), nn.LSTM(4, 5))
    x = torch.randn(1, 2, 4)
    with torch.inference_mode():
        assert macs(net, x) == 24 + 3 * 4 * 5 * (4 + 5)
        assert torch.is_inference_mode_enabled()


def test_wrappers_compute_nothing() -> None:
    net, x = nn.Sequential(nn.Linear(4, 4)), torch.randn(2, 4)
    assert macs(nn.DataParallel(net), x) == 32
    profile = onnxtile.profile(torch.compile(net), inputs=x)
    assert [row.module for row in profile.nodes] == ["0"]
    assert profile.totals.macs == 32


def test_a_module_inside_vmap_is_seen() -> None:
    class Mapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return torch.vmap(self.layer)(x)

    assert macs(Mapped(), torch.randn(2, 4)) == 24


def test_normed_weights_and_packed_sequences_are_known() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LSTM(4, 5)

        def forward(self, x: Any, lengths: Any) -> Any:
            return self.layer(nn.utils.rnn.pack_padded_sequence(x, lengths))[0].data

    assert macs(Packed(), torch.randn(5, 2, 4), torch.tensor([5, 3])) == 8 * 4 * 5 * (4 + 5)
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    totals = onnxtile.profile(normed, inputs=torch.randn(2, 4)).totals
    assert (totals.macs, totals.elementwise, totals.transcendental) == (24, 6 + 36, 3)


def test_device_meta_is_refused_before_weights_are_lost() -> None:
    net = nn.Linear(2, 2)
    with pytest.raises(UsageError, match="can't run on device 'meta': what moves there loses its numbers"):
        onnxtile.profile(net, inputs=torch.randn(1, 2), device="meta")
    assert net.weight.device.type == "cpu"


def test_the_model_is_never_written_over(tmp_path: Any) -> None:
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2).eval()), str(path))
    before = path.read_bytes()
    command = ["lower", str(path), "--input", "1x2", "--max", "2,2,2", "-o", str(path)]
    with pytest.raises(UsageError, match="which is needed; give another path"):
        app(command, standalone_mode=False)
    for options in ({"output": path}, {"keep_exported": path}):
        with pytest.raises(UsageError, match="which is needed; give another path"):
            onnxtile.lower(path, ["1x2"], max=(2, 2, 2), **options)
    assert path.read_bytes() == before


def test_a_model_that_exits_fails(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Exits(nn.Module):
        def forward(self, x: Any) -> Any:
            sys.exit(0)

    with pytest.raises(UsageError, match="the model fails on these inputs: SystemExit: 0"):
        macs(Exits(), torch.randn(1))
    (tmp_path / "exits_when_imported.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="exits_when_imported:net fails: SystemExit: 0"):
        load("exits_when_imported:net")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # torch's, of quantization itself
def test_weights_packed_by_torch_are_unknown() -> None:
    network = torch.ao.nn.quantized.dynamic.Linear(8, 4)
    totals = onnxtile.profile(torch.nn.Sequential(network), inputs=torch.ones(2, 8)).totals
    assert isinstance(totals.params, Range)
    assert totals.params.max is None
    assert isinstance(totals.weight_bytes, Range)


def test_what_a_network_prints_is_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    class Prints(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            print("hello")  # noqa: T201  # that's the point
            return x * 2

    onnxtile.profile(Prints(), inputs=torch.ones(2))
    printed = capsys.readouterr()
    assert (printed.out, set(printed.err.split())) == ("", {"hello"})


def test_hooks_of_the_user_see_true_numbers_once() -> None:
    network, seen = torch.nn.Linear(2, 2), []
    network.register_forward_hook(lambda module, args, output: seen.append(output))
    onnxtile.profile(network, inputs=torch.ones(1, 2))
    assert len(seen) == 1
    torch.testing.assert_close(seen[0], network(torch.ones(1, 2)).detach())


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU())
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    inputs = (some(1, 3, 5, 5),)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    profile_torch(nn.Sequential(network, Call(lambda x: x + torch.rand(1))), inputs)
    assert torch.equal(torch.rand(3), expected)
    assert [module.training for module in network.modules()] == modes
    assert torch.is_grad_enabled() and torch.backends.mha.get_fastpath_enabled()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    hooks = torch.nn.modules.module
    assert not hooks._global_forward_hooks and not hooks._global_forward_pre_hooks


def test_a_network_that_fails_is_left_as_it_was_too() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 4))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        profile_torch(network, (some(1, 4),))
    assert all(module.training for module in network.modules())
    assert torch.is_grad_enabled() and torch.backends.mha.get_fastpath_enabled()
    hooks = torch.nn.modules.module
    assert not hooks._global_forward_hooks and not hooks._global_forward_pre_hooks


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="can't run on device 'nonesuch'"):
        profile_torch(nn.Linear(2, 2), (some(1, 2),), device="nonesuch")
    assert profile_torch(nn.Linear(2, 2), (some(1, 2),), device="cpu").totals.macs == 4
