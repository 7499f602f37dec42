"""Write reference pages of the site from the code: commands, Python, passes, plugins, fields of an engine file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import onnxtile


def commands() -> str:
    """Write every command with its options, as `--help` has them."""
    import typer
    from typer.cli import get_docs_for_click

    from onnxtile.cli.app import app

    program = typer.main.get_command(app)
    text = get_docs_for_click(obj=program, ctx=typer.Context(program), name="onnxtile", title="Every option")
    return text.replace(
        "# Every option\n", "# Every option\n\nAs `--help` has them; [commands](../commands.md) says more.\n", 1
    )


def python() -> str:
    """Write a page of which mkdocstrings makes the public functions and classes."""
    functions = [name for name in onnxtile.__all__ if name[0].islower() and name not in ("passes", "instruments")]
    classes = [name for name in onnxtile.__all__ if name[0].isupper()]
    from onnxtile.debugging import instruments

    lines = ["# Python", "What `import onnxtile` has; [passes](passes.md) and [what plugins take](plugins.md) are by "]
    lines[-1] += "themselves. Instruments are imported from `onnxtile.debugging.instruments`."
    for title, names in (("Functions", functions), ("Classes", classes)):
        lines.append(f"## {title}")
        lines += [f"::: {_home(name)}" for name in names]
    lines.append("## Instruments")
    lines += [f"::: {_place(getattr(instruments, name))}" for name in instruments.__all__]
    return "\n\n".join(lines) + "\n"


PLUGIN_API: dict[str, tuple[str, ...]] = {
    "Operators": (
        "operators.registry.declare", "operators.registry.one_product", "operators.registry.Products",
        "operators.sizes.Size", "operators.matmul.matmul", "operators.work.Work", "operators.formula.measure",
    ),
    "Passes": (
        "passes.node_rewrite.rewrite", "passes.rewrites.node_writer.NodeWriter", "passes.decompose.Decompose",
        "passes.decompose.lowered_by", "passes.rewrites.replacement.Replacement", "operators.contractions.Contraction",
        "tiling.legality.Refusal", "tiling.legality.type_refusals",
    ),
    "Forms": (
        "tiling.forms.form.Form", "tiling.legality.Ability", "tiling.sinks.ir.Sink",
        "tiling.tiled_product.TiledProduct", "tiling.tiled_product.Operand", "tiling.plan.TilePlan", "tiling.plan.Axis",
    ),
}  # fmt: skip
"""List what plugins take from onnxtile, by what they offer."""


def plugins() -> str:
    """Write a page of which mkdocstrings makes what plugins take."""
    lines = ["# Plugins", "What plugins take from onnxtile; [plugins](../plugins.md) says how it goes together."]
    for title, names in PLUGIN_API.items():
        lines += [f"## {title}", *(f"::: onnxtile.{name}" for name in names)]
    return "\n\n".join(lines) + "\n"


def _home(name: str) -> str:
    return _place(getattr(onnxtile, name))


def _place(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def passes() -> str:
    """Write every pass: its equation, what it says of itself, and its options; of onnx_ir's the first line."""
    import inspect

    from onnx_ir.passes import common

    from onnxtile.passes.pipelines.options import NO_DEFAULT, options_of, value_word
    from onnxtile.passes.registry import BUILT_IN, pass_class

    lines = [
        "# Passes",
        "In the order in which `lower` runs them; [passes and pipelines](../passes.md) says how to run some of them, "
        "and how to write one.",
    ]
    for name in BUILT_IN:
        cls = pass_class(name)
        lines += [f"## {name}", f"`{cls.__module__}.{cls.__name__}`", _literal(inspect.cleandoc(cls.__doc__ or ""))]
        rows = [
            (
                f"`{key}`",
                one.words,
                "has to be given" if one.default is NO_DEFAULT else f"`{value_word(one.default).text}`",
            )
            for key, one in options_of(cls).items()
            if one.as_text
        ]
        lines += [table(("option", "takes", "default"), rows)] if rows else []
    rows = [(f"`{name}`", _literal(_first_line(pass_class(name)))) for name in common.__all__]
    return "\n\n".join([*lines, "## Of onnx_ir", table(("pass", "what it does"), rows)]) + "\n"


def _first_line(cls: type) -> str:
    words = cls.__doc__ or sys.modules[cls.__module__].__doc__ or ""
    return next(iter(words.strip().splitlines()), "")


def _literal(text: str) -> str:
    """Return text in which `*`, `_` and angle brackets of equations mean themselves, outside of code."""
    parts = text.split("`")
    for at in range(0, len(parts), 2):
        for sign in "\\*_<>[]":
            parts[at] = parts[at].replace(sign, f"&#{ord(sign)};")
    return "`".join(parts)


def engine_file() -> str:
    """Write every table and field of an engine file, from its JSON Schema."""
    from onnxtile.engine.schema import json_schema

    schema = json_schema()
    lines = [
        "# Engine file",
        "Every field, from the JSON Schema that `onnxtile engine schema` prints; "
        "[the engine](../engine.md) says how to describe yours.",
        "## At the top",
        _fields(schema),
    ]
    for name, described in schema["$defs"].items():
        if "properties" in described:
            lines += [f"## {name}", _literal(described.get("description", "")), _fields(described)]
    return "\n\n".join(lines) + "\n"


def _fields(described: dict[str, object]) -> str:
    required = described.get("required", [])
    rows = []
    for name, field in described["properties"].items():  # type: ignore[attr-defined]  # one of a schema
        default = "has to be given" if name in required else ""
        if "default" in field:
            default = f"`{json.dumps(field['default'])}`"
        rows.append((f"`{name}`", _type(field), default, _literal(field.get("description", ""))))
    return table(("field", "value", "default", "what it is"), rows)


def _type(field: dict[str, object]) -> str:
    """Return what a field takes, in words."""
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])  # type: ignore[attr-defined]
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    several = field.get("anyOf") or field.get("oneOf")
    if several:
        return " or ".join(dict.fromkeys(_type(one) for one in several))  # type: ignore[attr-defined]
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"  # type: ignore[arg-type]
    return {"string": "text", "object": "table"}.get(str(field.get("type")), str(field.get("type", "any")))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands,
    "reference/python.md": python,
    "reference/passes.md": passes,
    "reference/plugins.md": plugins,
    "reference/engine-file.md": engine_file,
}
"""Each page by its place in the site."""
