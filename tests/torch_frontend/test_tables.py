"""Figures of torch networks that were published or counted by other tools: in Python and on the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there
from torch.nn import functional  # noqa: E402  # the same

import onnxtile  # noqa: E402  # the same
from onnxtile.profiling.conventions.ptflops import ptflops_total  # noqa: E402  # the same
from onnxtile.profiling.results import Profile  # noqa: E402  # the same
from onnxtile.torch_frontend.inputs import as_inputs  # noqa: E402  # the same
from onnxtile.torch_frontend.module_tree import Tree  # noqa: E402  # the same
from tests.torch_support import (  # noqa: E402  # the same
    SCRIPTED,
    SIZE,
    document,
    network,
    run,
    saved,
    tensors_of,
    tree_torch,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours
Command = Callable[..., dict[str, Any]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`onnxtile profile MODEL --input SIZE OPTIONS --json`: the object that it prints."""

    def profile(model: object, size: str, *options: str) -> dict[str, Any]:
        return document(run(monkeypatch, capsys, "profile", model, "--input", size, *options, "--json"))

    return profile


@cache
def profiled(name: str, convention: str = "macs") -> Profile:
    return onnxtile.profile(network(name), inputs=SIZE, convention=convention)


@cache
def tree() -> Tree:
    return tree_torch(network("googlenet"), tensors_of("googlenet"))


# GoogLeNet of torchvision, aux_logits=False, 1 x 3 x 224 x 224: torch, torchinfo 1.8 and ptflops 0.7.5 (pytorch)

PRINTED = {
    "AdaptiveAvgPool2d": 50_176,
    "BatchNorm2d": 6_452_320,
    "Conv2d": 1_497_352_192,
    "Linear": 1_025_000,
    "MaxPool2d": 2_875_712,
}


def test_parameters_of_googlenet() -> None:
    totals = profiled("googlenet").totals
    assert totals.params == 6_624_904 + totals.buffers == 6_639_464
    assert (totals.trainable, totals.frozen) == (6_624_904, 0)
    assert tree().totals.params_bytes == profiled("googlenet", "ptflops").totals.weight_bytes == 26_499_616


def test_what_torchinfo_says_of_googlenet() -> None:
    totals = tree().totals
    sizes = (totals.input_bytes, totals.forward_backward_bytes, totals.params_bytes, totals.total_bytes)
    assert [round(size / 1e6, 2) for size in sizes] == [0.6, 51.63, 26.5, 78.73]
    assert (totals.params, totals.trainable, totals.frozen) == (6_624_904, 6_624_904, 0)
    assert totals.macs == 1_498_376_192  # torchinfo adds one for each bias, scale and shift: 1,498,391,752


def test_what_ptflops_counts_for_googlenet() -> None:
    profile = profiled("googlenet", "ptflops")
    counted = {group.name: group.macs for group in profile.by("op")}
    assert {name: counted[name] for name in PRINTED} == PRINTED
    assert ptflops_total(profile) == 1_513_907_448


def test_googlenet_on_the_command_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "examples")
    found = command("torch_networks:googlenet", SIZE, "--convention", "ptflops", "--by", "op")
    counted = {group["name"]: group["macs"] for group in found["groups"]}
    assert {name: counted[name] for name in PRINTED} == PRINTED
    assert found["ptflops_prints"]["activation_functions"] == 1_513_907_448
    assert (found["totals"]["params"], found["totals"]["weight_bytes"]) == (6_624_904, 26_499_616)


def test_the_tree_of_googlenet_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = saved("googlenet", "traced", tmp_path)
    status, shown, err = run(monkeypatch, capsys, "profile", path, "--input", SIZE, "--tree", "--depth", 1)
    assert (status, err) == (0, "")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for words in (
        "Total params 6,624,904",
        "Trainable params 6,624,904",
        "Non-trainable params 0",
        "Total mult-adds 1.5 G",
        "Input size (MB) 0.60",
        "Forward/backward pass size (MB) 51.63",
        "Params size (MB) 26.50",
        "Estimated total size (MB) 78.73",
    ):
        assert words in lines
    assert "├─Inception inception3a 1,256,28,28 155,872 122 M" in lines
    assert "Conv2d" not in shown  # it's deeper
    found = document(run(monkeypatch, capsys, "profile", path, "--input", SIZE, "--tree", "--json"))
    assert found["totals"]["total_bytes"] == 602_112 + 51_626_560 + 26_499_616
    assert sum(module["kind"] == "Conv2d" for module in found["modules"]) == 57


# Caffe's GoogLeNet through TorchScript

CAFFE = {"Conv2d": 1_584_874_032, "Linear": 1_025_000}


@pytest.mark.parametrize("kind", ["traced", SCRIPTED])
def test_bvlc_googlenet_through_torchscript(kind: str, tmp_path: Path, command: Command) -> None:
    path = saved("bvlc_googlenet", kind, tmp_path)
    profile = onnxtile.profile(path, inputs=SIZE)
    assert (profile.totals.weight_bytes, profile.totals.activation_bytes) == (27_994_208, 39_653_056)
    found = command(path, SIZE, "--convention", "ptflops", "--by", "op")
    counted = {group["name"]: group["macs"] for group in found["groups"]}
    assert {name: counted[name] for name in CAFFE} == CAFFE
    assert (found["totals"]["weight_bytes"], found["totals"]["activation_bytes"]) == (27_994_208, 39_653_056)


def test_the_143_layers_of_bvlc_googlenet(tmp_path: Path, command: Command) -> None:
    modules = command(saved("bvlc_googlenet", SCRIPTED, tmp_path), SIZE, "--tree")["modules"]
    inside = {module["path"].rpartition(".")[0] for module in modules if module["path"]} | {""}
    layers = [module for module in modules if module["path"] not in inside]
    assert len(layers) == 143
    assert sum(_bytes(output) for layer in layers for output in layer["outputs"]) == 39_653_056


def _bytes(text: str) -> int:
    """Of `float32[1,64,56,56]`."""
    size = 4
    for each in text.partition("[")[2].rstrip("]").split(","):
        size *= int(each)
    return size


# Thirteen operators of torch: multiply-accumulates by hand


class _Einsum(nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return torch.einsum("bij,bkj->bik", x, y)


class _Sdpa(nn.Module):
    def forward(self, q: Any, k: Any, v: Any) -> Any:
        return functional.scaled_dot_product_attention(q, k, v)


class _Attention(nn.MultiheadAttention):
    def __init__(self) -> None:
        super().__init__(16, 4, batch_first=True)

    def forward(self, x: Any) -> Any:  # type: ignore[override]  # one input for all three
        return super().forward(x, x, x)


class _Product(nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return x @ y


GATES = 7 * 2  # steps and batch
THIRTEEN: dict[str, tuple[Callable[[], nn.Module], tuple[str, ...], int]] = {
    "Conv1d": (lambda: nn.Conv1d(3, 8, 5, stride=2), ("2x3x21",), 2 * 9 * 8 * 3 * 5),
    "Conv2d": (lambda: nn.Conv2d(3, 8, 3, padding=1), ("2x3x10x12",), 2 * 120 * 8 * 27),
    "Conv3d": (lambda: nn.Conv3d(2, 4, 3), ("1x2x5x6x7",), 3 * 4 * 5 * 4 * 54),
    "grouped": (lambda: nn.Conv2d(8, 16, 3, groups=4), ("1x8x6x6",), 16 * 16 * 2 * 9),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), ("1x4x5x5",), 25 * 4 * 6 * 9),
    "Linear": (lambda: nn.Linear(16, 32), ("2x5x16",), 10 * 16 * 32),
    "batched matmul": (_Product, ("2x3x4x5", "2x3x5x6"), 6 * 4 * 5 * 6),
    "matvec": (_Product, ("4x5", "5"), 20),
    "einsum": (_Einsum, ("2x3x4", "2x5x4"), 2 * 3 * 4 * 5),
    "scaled_dot_product_attention": (_Sdpa, ("2x4x9x8", "2x4x7x8", "2x4x7x8"), 2 * (8 * 9 * 8 * 7)),
    "LSTM": (lambda: nn.LSTM(6, 8, bidirectional=True), ("7x2x6",), 2 * GATES * 4 * 8 * (6 + 8)),
    "GRU": (lambda: nn.GRU(6, 8), ("7x2x6",), GATES * 3 * 8 * (6 + 8)),
    "MultiheadAttention": (_Attention, ("2x9x16",), 18 * 16 * 16 * 4 + 2 * (2 * 4 * 9 * 4 * 9)),
}
"""What is called, with what, and its multiply-accumulates; docs/profile.md shows what other tools say of the same."""


def case(name: str) -> nn.Module:
    torch.manual_seed(0)
    return THIRTEEN[name][0]().eval()


@pytest.mark.parametrize("name", THIRTEEN)
def test_thirteen_operators(name: str) -> None:
    _, inputs, macs = THIRTEEN[name]
    assert onnxtile.profile(case(name), inputs=inputs).totals.macs == macs


@pytest.mark.parametrize("name", THIRTEEN)
def test_thirteen_operators_on_the_command_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, inputs, macs = THIRTEEN[name]
    path, (args, kwargs) = tmp_path / "case.pt", as_inputs(inputs)
    assert not kwargs
    torch.jit.save(torch.jit.trace(case(name), args, check_trace=False), path)
    options = [word for text in inputs for word in ("--input", text)]
    assert document(run(monkeypatch, capsys, "profile", path, *options, "--json"))["totals"]["macs"] == macs
