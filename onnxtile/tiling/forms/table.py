"""The forms in which a tile plan is written as ONNX, and what each offers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint

from onnxtile.errors import UsageError, wrong_name
from onnxtile.ir.plugins import broken, leave_out, load, plugins
from onnxtile.tiling.forms.batched import Batched
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.function import Function
from onnxtile.tiling.forms.loop import Loop
from onnxtile.tiling.forms.unrolled import SplitsName, Unrolled
from onnxtile.tiling.legality import Ability

FORMS: dict[str, Form] = {form.name: form for form in (Unrolled(), Batched(), Loop(), Function())}
ENTRY_POINTS = "onnxtile.forms"
"""The group of forms of other packages: objects, or classes that are made without arguments."""


def form_of(
    name: str,
    max_fan_in: int | None = None,
    max_fan_out: int | None = None,
    splits: SplitsName = "split",
    others: Sequence[str] = (),
) -> Form:
    """Return the form of that name; UsageError for an unknown one. `others`: names that the caller takes, too.

    `max_fan_in`, `max_fan_out`, `splits`: see Unrolled; the others have no Split, and no node with more than three
    inputs or outputs.
    """
    if isinstance(name, str) and name in FORMS:
        return Unrolled(max_fan_in, max_fan_out, splits) if name == Unrolled.name else FORMS[name]
    points = plugins(ENTRY_POINTS, FORMS)
    if not isinstance(name, str) or name not in points:
        raise wrong_name(f"form {name!r} is unknown", name, (*form_names(), *others))
    return _plugged(points[name])


def form_names() -> list[str]:
    """Return the names of all forms, those of plugins last; one that is broken is named and left out."""
    names = list(FORMS)
    for point in plugins(ENTRY_POINTS, FORMS).values():
        try:
            names.append(_plugged(point).name)
        except UsageError as error:
            leave_out(error)
    return names


@cache
def _plugged(point: EntryPoint) -> Form:
    """Return the form of a plugin."""
    found = load(point)
    try:
        form = found() if isinstance(found, type) else found
    except Exception as error:  # a plugin may be anybody's, and raise anything
        raise broken(point, error) from error
    if not isinstance(form, Form):
        raise broken(point, f"{found!r} isn't a subclass of {Form.__name__} of {Form.__module__}")
    if getattr(form, "name", None) != point.name:
        raise broken(point, f"name = {point.name!r} is missing in class {type(form).__name__}")
    if not isinstance(form.ability, Ability):
        raise broken(point, f"ability of {type(form).__name__} isn't an {Ability.__name__} of {Ability.__module__}")
    return form
