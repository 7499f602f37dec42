"""Tensors become arrays bit for bit, or have a reason why not."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.debugging.capture.element_types import NotATensorError  # noqa: E402  # the same
from onnxtile.torch_frontend.arrays import array_of  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "bool", "complex64"])
def test_arrays_hold_the_same_numbers(name: str) -> None:
    tensor = torch.tensor([[1.0, 0.0], [0.5, -2.0]]).to(getattr(torch, name))
    array = array_of(tensor)
    assert (str(array.dtype), array.shape) == (name, (2, 2))
    assert array.astype(np.complex64).tolist() == tensor.to(torch.complex64).tolist()
    tensor.zero_()  # it's a copy
    assert array.any()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "is None"),
        (7, "is a int, not a tensor"),
        (torch.eye(2).to_sparse(), "is a sparse tensor, which no array is"),
        (torch.ones(2, device="meta"), "is a tensor without numbers"),
    ],
)
def test_what_no_array_is(value: object, words: str) -> None:
    with pytest.raises(NotATensorError, match=words):
        array_of(value)
