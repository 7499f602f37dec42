"""What forms share: each says what it can write, keeps calls or not, and writes nothing by itself."""

from __future__ import annotations

import pytest

from onnxtile.tiling.forms import form
from onnxtile.tiling.forms.table import FORMS


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_one(name: str) -> None:
    found = FORMS[name]
    assert isinstance(found, form.Form)
    assert found.name == name
    assert found.pads == (name != "unrolled")
    assert found.keeps_calls == (name == "function")
