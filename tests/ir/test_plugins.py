"""Plugins: one that's broken, or whose name is taken, is named and left out."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from onnxtile.errors import PluginWarning, UsageError
from onnxtile.ir import plugins

GROUP = "onnxtile.passes"
POINTS = EntryPoints(
    EntryPoint(name, value, GROUP)
    for name, value in {
        "good": "onnxtile.passes:InferShapes", "broken": "nonesuch.module:Pass", "taken": "onnxtile.passes:TileMatMul",
    }.items()
)  # fmt: skip


def test_plugins_are_found_and_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda **select: POINTS.select(**select))
    words = r"^plugin 'taken' \(onnxtile.passes\) is left out: onnxtile has one of that name$"
    with pytest.warns(PluginWarning, match=words):
        found = plugins.plugins(GROUP, ["taken"])
    assert list(found) == ["broken", "good"]
    words = r"^plugin 'broken' \(onnxtile.passes\) is broken: ModuleNotFoundError: No module named 'nonesuch'; mend or"
    with pytest.warns(PluginWarning, match=words):
        assert [name for name, _ in plugins.loaded(found)] == ["good"]
    with pytest.raises(UsageError, match=words):
        plugins.load(found["broken"])
    assert plugins.plugins("onnxtile.nonesuch") == {}


def test_of_two_plugins_of_one_name_the_first_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("mine", value, GROUP) for value in ("b:Pass", "a:Pass", "a:Pass")]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    with pytest.warns(PluginWarning, match=r"^plugin 'mine' .* is left out: 'mine' \(onnxtile.passes\) has that name$"):
        assert plugins.plugins(GROUP)["mine"].value == "a:Pass"


@pytest.mark.parametrize("name", ["Bad Name{", "a:b", "@file", "a,b", ""])
def test_names_that_a_pipeline_cannot_say_are_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda **_: [EntryPoint(name, "a:Pass", GROUP)])
    with pytest.warns(PluginWarning, match="is left out: its name isn't one of letters, digits, -, _ and .$"):
        assert plugins.plugins(GROUP) == {}


def test_metadata_that_cannot_be_read_keeps_nothing_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: str) -> None:
        raise PermissionError(13, "Permission denied", "there")

    monkeypatch.setattr(plugins, "entry_points", refuse)
    words = r"^plugins \(onnxtile.passes\) are left out: PermissionError: \[Errno 13\] Permission denied: 'there'$"
    with pytest.warns(PluginWarning, match=words):
        assert plugins.plugins(GROUP) == {}
