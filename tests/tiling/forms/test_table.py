"""Forms by name, and what each can write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

import onnxtile
from onnxtile.errors import PassError, PluginWarning, UsageError
from onnxtile.ir import plugins
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import ENTRY_POINTS, FORMS, form_names, form_of
from onnxtile.tiling.forms.unrolled import Unrolled
from tests.support import matmul, run_onnxruntime


def test_each_form_says_what_it_can() -> None:
    facts = {name: (form.ability.first_opset, form.ability.symbolic_m, form.pads) for name, form in FORMS.items()}
    assert facts == {
        "unrolled": (7, False, False), "batched": (7, True, True),
        "loop": (11, True, True), "function": (9, True, True),
    }  # fmt: skip
    assert [name for name, form in FORMS.items() if form.keeps_calls] == ["function"]
    assert all(form.name == name for name, form in FORMS.items())


def test_a_form_by_its_name() -> None:
    assert form_of("loop") is FORMS["loop"]
    assert form_of("unrolled", 4, 8) == Unrolled(4, 8)
    for name in ("spiral", "", None):
        with pytest.raises(UsageError, match="is unknown: take one of unrolled, batched, loop, function"):
            form_of(name)  # type: ignore[arg-type]  # that's the point


class Rows(Unrolled):
    """A form of another package."""

    name = "rows"


class Empty(Form):
    """Misses both methods."""

    name = "empty"


class Nameless(Rows):
    """Has no name: Rows' is taken away."""

    name = None  # type: ignore[assignment]  # that's the point


class Unable(Rows):
    """Doesn't say what it can as an Ability."""

    name, ability = "unable", "all"  # type: ignore[assignment]  # that's the point


class Fails(Form):
    """Can't write anything."""

    name = "fails"

    def constants(self, product: object, side: object, prefix: str, array: np.ndarray) -> Iterator[Any]:
        yield f"{prefix}/all", array

    def write(self, *_: object) -> None:
        raise RuntimeError("what now?")


BROKEN = {
    "empty": ("Empty", "TypeError: Can't instantiate abstract class Empty"),
    "nameless": ("Nameless", "name = 'nameless' is missing in class Nameless"),
    "unable": ("Unable", "ability of Unable isn't an Ability of onnxtile.tiling.legality"),
    "number": ("PRODUCTS", "5 isn't a subclass of Form of onnxtile.tiling.forms.form"),
}
PRODUCTS = 5


def test_what_is_wrong_with_a_form_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint(name, f"{__name__}:{value}", ENTRY_POINTS) for name, (value, _) in BROKEN.items()]
    points.append(EntryPoint("fails", f"{__name__}:Fails", ENTRY_POINTS))
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    for name, (_, words) in BROKEN.items():
        with pytest.raises(UsageError, match=re.escape(f"plugin {name!r} (onnxtile.forms) is broken: {words}")):
            form_of(name)
    with pytest.warns(PluginWarning), pytest.raises(UsageError, match="function, fails; did you mean 'fails'"):
        form_of("fail")
    with pytest.raises(PassError, match=r"^(pass .*)?form fails failed on .*: RuntimeError: what now\?$"):
        onnxtile.lower(matmul([2, 6], [6, 4], [2, 4]), (4, 4, 4), form="fails")  # type: ignore[arg-type]


def test_forms_of_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"rows": f"{__name__}:Rows", "gone": "nonesuch:Form", "other": f"{__name__}:Rows", "loop": "taken:Form"}
    points = [EntryPoint(name, value, ENTRY_POINTS) for name, value in values.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    with pytest.warns(PluginWarning) as told:
        names = form_names()
    assert names == [*FORMS, "rows"]
    words = {str(one.message).partition(": ")[2] for one in told}
    assert words == {
        "onnxtile has one of that name",
        "ModuleNotFoundError: No module named 'nonesuch'; mend or uninstall it",
        "name = 'other' is missing in class Rows; mend or uninstall it",
    }
    points.pop()
    assert isinstance(form_of("rows"), Rows)
    assert form_of("rows") is form_of("rows")
    with pytest.raises(UsageError, match="plugin 'gone' .* is broken"):
        form_of("gone")
    original = matmul([2, 6], [6, 4], [2, 4])
    lowered = onnxtile.lower(original, (4, 4, 4), form="rows")  # type: ignore[arg-type]  # it's a plugin's
    feeds = {"X": np.arange(12, dtype=np.float32).reshape(2, 6)}
    np.testing.assert_array_equal(run_onnxruntime(lowered, feeds)[0], run_onnxruntime(original, feeds)[0])
