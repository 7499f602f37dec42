"""Forms by name, and what each can write."""

from __future__ import annotations

import pytest

from onnxtile.errors import UsageError
from onnxtile.tiling.forms.table import FORMS, form_of
from onnxtile.tiling.forms.unrolled import Unrolled


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
