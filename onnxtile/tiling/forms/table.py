"""The forms in which a tile plan is written as ONNX, and what each offers."""

from __future__ import annotations

from onnxtile.errors import wrong_name
from onnxtile.tiling.forms.batched import Batched
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.function import Function
from onnxtile.tiling.forms.loop import Loop
from onnxtile.tiling.forms.unrolled import SplitsName, Unrolled

FORMS: dict[str, Form] = {form.name: form for form in (Unrolled(), Batched(), Loop(), Function())}


def form_of(
    name: str, max_fan_in: int | None = None, max_fan_out: int | None = None, splits: SplitsName = "split"
) -> Form:
    """Return the form of that name; UsageError for an unknown one.

    `max_fan_in`, `max_fan_out`, `splits`: see Unrolled; the others have no Split, and no node with more than three
    inputs or outputs.
    """
    if not isinstance(name, str) or name not in FORMS:
        raise wrong_name(f"form {name!r} is unknown", name, FORMS)
    return Unrolled(max_fan_in, max_fan_out, splits) if name == Unrolled.name else FORMS[name]
