"""The memory of tensors of every layout."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.torch_frontend.trace.calls import Unsized  # noqa: E402  # the same
from onnxtile.torch_frontend.trace.memory import bytes_of, key_of, shape_of  # noqa: E402  # the same
from tests.torch_support import some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


def test_views_are_in_the_memory_of_what_they_look_at() -> None:
    x = some(3, 4)
    assert key_of(x) == key_of(x[1:]) == key_of(x.T) != key_of(x.clone())
    assert bytes_of(x[1:]) == bytes_of(x) == 48
    assert shape_of(x[1:]) == (2, 4)


def test_sparse_and_nested_tensors_have_bytes_and_no_sizes() -> None:
    x = torch.eye(4)
    for tensor, size, kind in (
        (x.to_sparse(), 4 * 4 + 2 * 4 * 8, "sparse_coo"),
        (torch.sparse_csr_tensor(torch.tensor([0, 1, 2]), torch.tensor([0, 1]), torch.ones(2)), 48, "sparse_csr"),
        (torch.nested.nested_tensor([x, x[:2]]), 4 * (16 + 8), "nested"),
    ):
        shape = shape_of(tensor)
        assert isinstance(shape, Unsized) and shape.kind == kind
        assert bytes_of(tensor) == size
