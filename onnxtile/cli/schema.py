"""`onnxtile schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtile.cli.options import Json
from onnxtile.errors import wrong_name

EXAMPLES = "Examples:\n\nonnxtile schema\n\nonnxtile schema lower > lower.schema.json"


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Its name: onnxtile.lower/1, or lower. Without: list them.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the JSON Schema of what --json prints; the member `schema` of each object names its own.

    A schema is JSON itself; --json is for the list of them.

    Exit status: 0 it's printed, 2 there is no such schema.
    """
    from onnxtile.cli.documents import documents
    from onnxtile.cli.output import console, print_json
    from onnxtile.ir.json_schema import json_schema

    classes = documents()
    if name is None and json:
        print_json({"schema": "onnxtile.schemas/1", "schemas": list(classes)})
        return
    if name is None:
        for one in classes:
            console().print(one)
        return
    short = {one.partition(".")[2].partition("/")[0]: one for one in classes}
    full = short.get(name, name)
    if full not in classes:
        raise wrong_name(f"schema {name!r} is unknown", name, short)
    print_json(json_schema(classes[full], full))
