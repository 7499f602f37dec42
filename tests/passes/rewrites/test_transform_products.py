"""Test what transforms are written in: moves around one product."""

from __future__ import annotations

import onnxtile
from tests.passes.test_decompose_transforms import dft, stft
from tests.support import operators


def test_an_axis_that_stands_last_costs_no_transpose() -> None:
    assert operators(onnxtile.lower(dft([3, 8, 1]), (3, 8, 15), ops="all")).count("Transpose") == 0
    assert operators(onnxtile.lower(dft([8, 3, 1], axis=0), (3, 8, 15), ops="all")).count("Transpose") == 2


def test_numbers_behind_the_transform_are_cut_off() -> None:
    assert operators(onnxtile.lower(dft([3, 8, 1], length=6), (3, 8, 11), ops="all", form="batched"))[0] == "Slice"


def test_frames_are_gathered_once() -> None:
    found = operators(onnxtile.lower(stft([2, 15, 1], 4, 6), (2, 3, 2), ops="all", form="batched"))
    assert found[:2] == ["Gather", "Reshape"]
    assert "Mul" in operators(onnxtile.lower(stft([2, 15, 1], 4, 6, 6), (6, 6, 7), ops="all"))
