"""Operators that are made of others are recorded as those."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

from onnxtile.torch_frontend.trace.higher_order import decomposed  # noqa: E402  # the same
from tests.torch_frontend.trace.test_recording import LINEAR, X, told  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


def test_operators_that_call_functions_count_as_what_they_call() -> None:
    from torch._higher_order_ops import while_loop
    from torch.nn.attention.flex_attention import flex_attention

    assert told(lambda layer, x: flex_attention(*[x[None, None]] * 3), X)[:2] == (2 * 3 * 3 * 4, set())
    branches = (lambda x: layer_of(x), lambda x: x)
    layer = nn.Linear(4, 4)
    layer_of = layer.forward
    assert told(lambda _, x: torch.cond(torch.tensor(True), *branches, (x,)), X)[:2] == (LINEAR, set())
    start = (torch.tensor(0), X)
    assert told(lambda _, x: while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x @ x.T @ x), start), X)[:2] == (
        3 * 2 * 3 * 4 * 3,
        set(),
    )


def test_operators_that_run_whole() -> None:
    assert decomposed(torch.ops.aten.mm.default) is None
    assert decomposed(torch.ops.aten.matmul.default) is not None
    assert decomposed(torch.ops.higher_order.cond) is not None
