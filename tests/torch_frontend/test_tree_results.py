"""Test what a tree of modules says in JSON, without torch."""

from __future__ import annotations

from onnxtile.profiling.results import Profile, Totals
from onnxtile.torch_frontend.tree_results import Branch, Tree, TreeTotals


def test_the_tree_as_json() -> None:
    branch = Branch(
        path="net.fc", kind="Linear", depth=1, last=True, calls=1, outputs=("float32 1x3",), params=15, trainable=15,
        own_params=15, macs=12,
    )  # fmt: skip
    totals = TreeTotals(
        params=15, trainable=15, frozen=0, buffers=0, macs=12, layers=1, activation_bytes=12, input_bytes=16,
        forward_backward_bytes=24, params_bytes=60,
    )  # fmt: skip
    document = Tree((branch,), totals, Profile((), Totals())).to_json()
    assert list(document) == ["schema", "view", "totals", "modules"]
    assert (document["schema"], document["totals"]["total_bytes"]) == ("onnxtile.profile-tree/1", 100)
    assert document["modules"][0]["path"] == "net.fc" and branch.name == "fc"
