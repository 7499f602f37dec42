"""Test that what nobody knows of an operator is unknown, with its name."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from tests.torch_support import Call, profile_torch  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


def test_an_operator_nobody_knows_is_unknown_and_the_totals_a_lower_bound() -> None:
    profile = profile_torch(Call(lambda x: torch.linalg.inv(x @ x)), (torch.eye(3),))
    assert str(profile.totals.macs) == "27 or more"
    reasons = {reason for row in profile.nodes for reason in row.unknown.values()}
    assert any("aten.linalg_inv_ex computes isn't known" in reason for reason in reasons)
