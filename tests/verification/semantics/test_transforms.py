"""Transforms are evaluated as products: a matrix that's nearly right is seen."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.passes import decompose_transforms
from onnxtile.verification.semantics import transforms
from tests.passes.test_decompose_transforms import dft, stft


def test_another_sign_of_the_exponent_is_seen() -> None:
    forward, back = dft([3, 8, 2]), dft([3, 8, 2], inverse=1)
    lowered = onnxtile.lower(back, (2, 3, 2), ops="all")
    assert not onnxtile.verify(forward, lowered).equivalent


@pytest.mark.parametrize("model", [dft([3, 8, 1], onesided=1), stft([2, 15, 1], 4, 6)])
def test_a_number_of_the_matrix_that_is_the_next_one_is_seen(model: object) -> None:
    lowered = onnxtile.lower(model, (2, 3, 2), ops="all")  # type: ignore[call-overload]
    tile = next(each for each in lowered.graph.initializer if "matrix" in each.name)
    numbers = numpy_helper.to_array(tile).copy()
    numbers.flat[0] = np.nextafter(numbers.flat[0], np.float32(9))
    tile.CopyFrom(numpy_helper.from_array(numbers, tile.name))
    assert [region.status for region in onnxtile.verify(model, lowered).regions] == ["different"]  # type: ignore[arg-type]


def test_frames_that_begin_elsewhere_are_seen() -> None:
    model = stft([2, 15, 1], 4, 6)
    lowered = onnxtile.lower(model, (2, 3, 2), ops="all")
    places = next(each for each in lowered.graph.initializer if each.name.endswith("places"))
    places.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(places) + 1, places.name))
    assert not onnxtile.verify(model, lowered).equivalent


def test_matrices_as_large_as_are_computed_and_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show that what is larger was refused by `lower`, which has the same bound."""
    assert transforms.MOST_NUMBERS == decompose_transforms.MOST_NUMBERS == 1 << 26
    model = dft([3, 8, 1])
    lowered = onnxtile.lower(model, (2, 3, 2), ops="all")
    for most, is_proven in ((128, True), (127, False)):
        monkeypatch.setattr(transforms, "MOST_NUMBERS", most)
        (region,) = onnxtile.verify(model, lowered).regions
        assert (region.status == "proven") == is_proven
