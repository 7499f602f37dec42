"""The modules of a network as a tree."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from tests.torch_support import Small, Tied, some, tree_torch  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


def test_the_tree() -> None:
    tree = tree_torch(Small(), (some(1, 3, 4, 4),), depth=1)
    assert [
        (branch.path, branch.kind, branch.outputs[0].removeprefix("float32"), branch.params) for branch in tree.branches
    ] == [
        ("", "Small", "[1,3]", 224 + 16 + 8 * 4 * 4 + 8 + 4 * 64 + 32 + 27),
        ("stem", "Sequential", "[1,8,2,2]", 240),
        ("up", "ConvTranspose2d", "[1,8,4,4]", 136),
        ("attention", "MultiheadAttention", "[1,16,8]", 288),
        ("head", "Linear", "[1,3]", 27),
    ]
    assert tree.branches[0].macs == tree.profile.totals.macs == sum(branch.macs for branch in tree.branches[1:])
    totals = tree.totals
    assert (totals.params, totals.trainable, totals.frozen, totals.buffers) == (691, 691, 0, 17)
    # torchinfo: twice what calls of modules with parameters and without modules in them return
    assert totals.forward_backward_bytes == 2 * 4 * (128 + 128 + 128 + 3)
    assert (totals.input_bytes, totals.params_bytes) == (192, 4 * 691)
    assert totals.total_bytes == 192 + 4 * 691 + totals.forward_backward_bytes
    assert json.loads(json.dumps(tree.to_json()))["totals"]["macs"] == totals.macs


def test_the_tree_shows_modules_that_are_called_twice_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    from onnxtile.cli.views.tree import TreeView

    tree = tree_torch(Tied(), (torch.tensor([[1, 2, 3]]),))
    found = {branch.path: branch for branch in tree.branches}
    assert (found["block"].calls, found["unused"].calls, found["unused"].outputs) == (2, 0, ())
    assert (found["head"].params, found["head"].own_params) == (28, 28) and tree.totals.params == 54
    TreeView(tree).print()
    printed = capsys.readouterr().out
    assert "├─Linear block x 2" in printed and "└─Linear unused" in printed
    assert "Total params" in printed and "Forward/backward pass size (MB)" in printed
