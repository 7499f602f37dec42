"""All of torch's catalogue of operators goes through the recorder: results untouched, and products counted right."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")
pytest.importorskip("expecttest", reason="torch's catalogue of operators imports it: pip install 'onnxtile[test]'")

from torch.utils._pytree import tree_map  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from tests.torch_catalogue import catalogue, judge, samples  # noqa: E402

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
pytestmark = pytest.mark.filterwarnings("ignore")


def test_results_are_untouched_and_nothing_fails() -> None:
    """The first sample of every ninth operator, or all of all."""
    for operator in catalogue()[:: 1 if LONG else 9]:
        for call in samples(operator, None if LONG else 1):
            found, _ = judge(operator, call)
            assert not found.fault, (found, call)
            assert not any("its formula fails" in reason for reason in found.reasons), (found, call)


def by_ones(operator: Any, call: Any) -> int:
    """Products of ones, each added once: their sum is how many there are; nothing else is added to them."""
    args, kwargs = tree_map(lambda each: torch.ones_like(each) if isinstance(each, torch.Tensor) else each, call)
    if operator.full_name.startswith("add") or operator.full_name == "baddbmm":
        kwargs = {**kwargs, "beta": 0, "alpha": 1}
    if operator.full_name == "nn.functional.linear":
        args = args[:2]
    return int(operator(*args, **kwargs).sum())


def by_flops(operator: Any, call: Any) -> int:
    """torch's own count, two a product."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        operator(*call[0], **call[1])
    return int(counter.get_total_flops()) // 2


def by_attention(operator: Any, call: Any) -> int:
    query, key, value = call[0]
    rows = operator(*call[0], **call[1])[..., 0].numel()  # of a query that may be one for several keys
    return int(rows * key.shape[-2] * (query.shape[-1] + value.shape[-1]))


def by_distances(operator: Any, call: Any) -> int:
    """Each row by each, where torch does it by a product."""
    a, b, *rest = call[0]
    order, mode = (*rest, 2.0, None)[0], (*rest, 2.0, None)[1] if len(rest) > 1 else None
    large = a.shape[-2] > 25 or b.shape[-2] > 25
    product = order == 2 and (mode == "use_mm_for_euclid_dist" or (large and mode != "donot_use_mm_for_euclid_dist"))
    return int(operator(a, b, *rest, **call[1]).numel() * a.shape[-1]) if product else 0


def by_bilinear(operator: Any, call: Any) -> int:
    """x1 by the weight, and what comes by x2."""
    x1, x2, weight = call[0][:3]
    return int(x1[..., 0].numel() * weight.shape[0] * x2.shape[-1] * (x1.shape[-1] + 1))


def by_nothing(operator: Any, call: Any) -> int:
    """torch multiplies the elements, and adds them up, by operators that are no products."""
    return 0


def _all(names: str, count: Callable[[Any, Any], int]) -> dict[str, Callable[[Any, Any], int]]:
    return dict.fromkeys(names.split(), count)


COUNTS = {
    **_all("addbmm addmm addmm.decomposed addmv addr baddbmm bmm dot matmul __rmatmul__ mm mv vdot", by_ones),
    **_all("nn.functional.linear", by_ones),
    **_all("cov corrcoef einsum linalg.multi_dot nn.functional.multi_head_attention_forward", by_flops),
    **_all("nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d", by_flops),
    **_all("nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.conv_transpose3d", by_flops),
    "nn.functional.scaled_dot_product_attention": by_attention,
    "cdist": by_distances,
    "nn.functional.bilinear": by_bilinear,
    **_all("outer kron", by_nothing),
}


def test_products_are_counted_right() -> None:
    known = {each.full_name: each for each in catalogue()}
    for name, count in COUNTS.items():
        for call in samples(known[name], None if LONG else 4):
            found, _ = judge(known[name], call)
            assert found.macs == count(known[name], call), (found, call)


def test_products_in_terms_of_others() -> None:
    """inner, tensordot and vecdot are mm, bmm or dot, or elements one by one, as torch has it for the sizes."""
    for operator in catalogue():
        if operator.full_name in ("inner", "tensordot", "linalg.vecdot"):
            for call in samples(operator, None if LONG else 6):
                found, _ = judge(operator, call)
                dims = call[1].get("dims")
                if isinstance(dims, tuple) and any(
                    call[0][0].shape[i] != call[0][1].shape[j] for i, j in zip(*dims, strict=True)
                ):
                    continue  # an axis of one number, which torch adds up first
                assert found.macs in {by_ones(operator, call), by_flops(operator, call)}, (found, call)
