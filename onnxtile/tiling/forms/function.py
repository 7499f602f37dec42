"""The function form: calls to model-local functions stay as they are, one node a product."""

from __future__ import annotations

from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.legality import Ability


class Function(Form):
    """C = call(A, B), and the function's body is the batched form. The file has IR version 8 at least."""

    name = "function"
    ability = Ability(9, symbolic_m=True)  # Constant knows floats only before, and so shapes can't be inferred
    keeps_calls = True
    pads = True
