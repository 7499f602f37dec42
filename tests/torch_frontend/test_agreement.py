"""One network in five kinds of files: the same parameters, bytes and multiply-accumulates, for ten architectures."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

import onnxtile  # noqa: E402  # only where torch is there
from tests.torch_support import SMALL, inputs_of, network, saved  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours

FIGURES = {  # parameters, those of them that are trained, buffers, bytes, multiply-accumulates
    "plain": (1_578, 16, 6_376, 193_856),
    "grouped": (1_040, 144, 4_736, 56_832),
    "transposed": (2_232, 0, 8_928, 200_192),
    "lstm": (2_773, 0, 11_092, 51_312),
    "gru": (429, 0, 1_716, 7_176),
    "attention": (6_560, 0, 26_240, 120_960),
    "experts": (1_056, 0, 4_224, 10_880),
    "tied": (7_584, 0, 30_336, 185_088),
    "volumes": (290, 0, 1_160, 43_488),
    "vision": (2_362, 0, 9_448, 39_104),
}
"""Numbers that are learned, statistics, bytes of both, multiply-accumulates."""


@pytest.mark.parametrize("name", SMALL)
def test_parameters_are_those_that_torch_counts(name: str) -> None:
    made = network(name)
    assert sum(each.numel() for each in made.parameters()) == FIGURES[name][0]
    statistics = [each.numel() for each in made.buffers() if each.is_floating_point()]
    assert sum(statistics) == FIGURES[name][1]
    assert 4 * (FIGURES[name][0] + sum(statistics)) == FIGURES[name][2]


@pytest.mark.parametrize("kind", ["module", "traced", "scripted", "exported", "onnx"])
@pytest.mark.parametrize("name", SMALL)
def test_all_kinds_agree(name: str, kind: str, tmp_path: Path) -> None:
    if kind == "module":
        totals = onnxtile.profile(network(name), inputs=inputs_of(name)).totals
    elif kind == "onnx":
        totals = onnxtile.profile(saved(name, kind, tmp_path)).totals
    else:
        totals = onnxtile.profile(saved(name, kind, tmp_path), inputs=inputs_of(name)).totals
    assert isinstance(totals.params, int)
    learned = totals.params - totals.buffers
    assert (learned, totals.buffers, totals.weight_bytes, totals.macs) == FIGURES[name]


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("grouped", 64 * (8 * 27 + 8 * 32 + 32 * 9 + 4 * 32)),
        ("transposed", 64 * 27 * 8 + 64 * 72 * 16 + 64 * 16 * 32 + 256 * 3 * 8 + 256 * 8 * 2 * 9 * 2),
        ("gru", 21 * 6 * 24 + 21 * 8 * 24 + 3 * 8 * 5),
        ("experts", 10 * 8 * 4 + 4 * 10 * 8 * 16 * 2 + 10 * 4 * 8),
        ("tied", 24 * 16 * 16 * 12 * 2 + 2 * 4 * (12 * 8 * 12) * 2 + 24 * 16 * 50),
    ],
)
def test_multiply_accumulates_by_hand(name: str, macs: int) -> None:
    assert FIGURES[name][3] == macs
