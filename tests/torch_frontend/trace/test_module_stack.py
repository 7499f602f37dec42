"""Test which modules run, and which of them are layers."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.torch_frontend.trace.calls import ModuleFacts  # noqa: E402  # the same
from onnxtile.torch_frontend.trace.module_stack import ModuleStack  # noqa: E402  # the same


def test_modules_know_those_around_them() -> None:
    facts = {"": ModuleFacts("", "Net", [], ["fc"]), "fc": ModuleFacts("fc", "Linear", ["fc.weight"], [])}
    stack = ModuleStack(facts, lambda outputs: ())
    stack.enter("", "Net")
    stack.enter("fc", "Linear")
    inner = stack.now
    stack.leave(None)
    assert inner is not None and stack.now is inner.parent
    stack.leave(None)
    assert stack.now is None
    assert [(call.path, call.leaf, call.layer, call.order) for call in stack.calls] == [
        ("", False, False, 0), ("fc", True, True, 1),
    ]  # fmt: skip
