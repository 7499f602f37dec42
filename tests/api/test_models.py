"""Options that are for one kind of models, and the file that a model is."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxtile.api.models import files_of, refuse
from onnxtile.errors import UsageError
from tests.support import matmul


def test_options_that_are_not_given_are_not_refused() -> None:
    refuse("torch", inputs=None, device=None, follow_links=False)
    with pytest.raises(UsageError, match="device is for models of torch, and this is one of the other kind"):
        refuse("torch", inputs=None, device="cuda")


def test_the_file_of_a_model() -> None:
    assert files_of("m.onnx") == files_of(Path("m.onnx")) == [Path("m.onnx")]
    assert files_of(matmul([1, 1], [1, 1], [1, 1])) == []
