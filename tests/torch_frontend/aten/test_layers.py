"""Fused layers count what their parts count."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

from tests.torch_support import profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


ATTENTION = nn.MultiheadAttention(8, 2, batch_first=True)
ENCODER = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


@pytest.mark.parametrize("layer", [ATTENTION, ENCODER], ids=lambda layer: type(layer).__name__)
def test_fused_attention_counts_what_its_parts_count(layer: Any) -> None:
    from onnxtile.torch_frontend.aten.work import macs_of, operations_of
    from onnxtile.torch_frontend.ptflops import ptflops_macs
    from onnxtile.torch_frontend.trace.recorder import Recorder

    inputs = (some(2, 3, 8),) * (3 if isinstance(layer, nn.MultiheadAttention) else 1)
    parts = profile_torch(layer, inputs).totals
    recorder = Recorder({})
    recorder.stack.enter("", "")
    with torch.no_grad(), recorder:
        layer.eval()(*inputs)  # the fast path, as TorchScript takes it
    (fused,) = [call for call in recorder.calls if "aten._" in call.operator.name]
    assert macs_of(fused) == parts.macs
    assert operations_of(fused).transcendental == parts.transcendental
    assert ptflops_macs(fused) == profile_torch(layer, inputs, convention="ptflops").totals.macs
