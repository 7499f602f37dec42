"""`onnxtile passes`."""

from __future__ import annotations

import sys
from typing import Any

from onnxtile.cli.options import Json

EXAMPLES = "Example:\n\nonnxtile passes --json"


def command(json: Json = False) -> None:
    """List the passes with their options: in the order of the main job, then those of onnx_ir and of other packages."""
    from rich.text import Text

    from onnxtile.cli.output import print_json
    from onnxtile.cli.screen import console, say, styled
    from onnxtile.errors import UsageError
    from onnxtile.ir.plugins import leave_out
    from onnxtile.passes.pipelines.options import options_of
    from onnxtile.passes.registry import pass_class, pass_names

    described: list[dict[str, Any]] = []
    for name in pass_names():
        try:
            cls = pass_class(name)
        except UsageError as error:
            leave_out(error)
            continue
        words = cls.__doc__ or sys.modules[cls.__module__].__doc__ or "no description"
        options = {key: option.words for key, option in options_of(cls).items() if option.as_text}
        summary = words.strip().splitlines()[0]
        described.append({"name": name, "summary": summary, "options": list(options), "takes": options})
    if json:
        print_json({"schema": "onnxtile.passes/1", "passes": described})
        return
    screen = console()
    for pass_ in described:
        taken = f"{{{' '.join(pass_['options'])}}}" if pass_["options"] else ""
        screen.print(Text.assemble(*styled((str(pass_["name"]), "bold"), (taken, "dim"))))
        say(f"    {pass_['summary']}")
        if takes := "; ".join(f"{key}: {words}" for key, words in pass_["takes"].items()):
            say(f"    {takes}", style="dim")
