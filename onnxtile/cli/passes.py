"""`onnxtile passes`."""

from __future__ import annotations

import dataclasses

from onnxtile.cli.options import Json

EXAMPLES = "Example:\n\nonnxtile passes --json"


def command(json: Json = False) -> None:
    """List the passes with their options, in the order of the main job."""
    from rich.text import Text

    from onnxtile.cli.output import print_json
    from onnxtile.cli.screen import console, styled
    from onnxtile.passes.registry import option_types, pass_class, pass_names

    described = []
    for name in pass_names():
        cls = pass_class(name)
        words = next(iter((cls.__doc__ or "").strip().splitlines()), "")
        options = [field.name for field in dataclasses.fields(cls)] if option_types(cls) else []  # type: ignore[arg-type]
        described.append({"name": name, "summary": words, "options": options})
    if json:
        print_json({"schema": "onnxtile.passes/1", "passes": described})
        return
    screen = console()
    for pass_ in described:
        taken = f"{{{' '.join(pass_['options'])}}}" if pass_["options"] else ""
        screen.print(Text.assemble(*styled((str(pass_["name"]), "bold"), (taken, "dim"))))
        screen.print(f"    {pass_['summary']}")
