from __future__ import annotations

import sys

import pytest

from onnxtile.errors import UsageError
from onnxtile.plots.drawing import INK, LONGEST, escaped, figure, label_axes, place_labels, short, svg


def test_names_are_shortened_and_spelled_out() -> None:
    assert short("x" * LONGEST) == "x" * LONGEST
    assert short("a" + "x" * LONGEST + "z") == f"a{'x' * 12}...{'x' * 11}z"
    assert short("a\n\x1b[31m") == "a\\n\\x1b[31m"
    assert escaped('<b a="1">&\x00') == "&lt;b a=&quot;1&quot;&gt;&amp;\\x00"


def test_ink_follows_the_page_and_a_dark_screen_gets_dark_paper() -> None:
    with figure(3, 2) as (drawn, axes):
        axes[0].plot([1, 10], [1, 10], gid="line")
        axes[0].set_title(f"layer {INK}")
        label_axes(axes[0], "bytes $x$", "y", log="xy")
        text = svg(drawn, {"line": "a <line>"}, "test")
    assert "prefers-color-scheme: dark" in text
    assert "#test-paper path" in text and '<g id="test-paper">' in text
    assert "currentColor" in text and f"layer {INK}<" in text and "bytes $x$" in text
    assert '<g id="line"><title>a &lt;line&gt;</title>' in text


def test_labels_cover_none_before_them() -> None:
    with figure(3, 2) as (_, axes):
        axes[0].set_xlim(0, 1)
        axes[0].set_ylim(0, 1)
        place_labels(axes[0], [(0.5, 0.5, f"label {at}") for at in range(9)])
        assert [note.get_text() for note in axes[0].texts] == [f"label {at}" for at in range(4)]


def test_matplotlib_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'onnxtile\[plots\]'"), figure(1, 1):
        pass
