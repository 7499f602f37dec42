"""Complete values on the command line: of options that take one of a few, names of passes, engines and nodes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

Choices = Callable[[], Iterable[str]]
_LINES = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""Where bash, and other shells, put the line that is completed."""
_WORD = re.compile(r"[\w.:/@%+,-][\w.:/@%+,=-]*")
"""Match what every shell takes for one word. Names of files may hold commands, and shells evaluate what they are
offered: zsh when it's listed, all of them once it's on the line."""


def one_of(choices: Choices) -> Callable[[str], list[str]]:
    """Return what completes a value that is one of these, which are asked for only then."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices() if choice.startswith(incomplete)]

    return complete


def several_of(choices: Choices) -> Callable[[str], list[str]]:
    """Return what completes the last of several values with commas between; those before it aren't offered again."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        left = (choice for choice in choices() if choice not in before.split(","))
        return [f"{before}{comma}{choice}" for choice in left if choice.startswith(last)]

    return complete


def forms() -> Iterable[str]:
    from onnxtile.tiling.forms.table import FORMS

    return FORMS


def forms_or_auto() -> Iterable[str]:
    return [*forms(), "auto"]


def weights() -> Iterable[str]:
    from onnxtile.tiling.call_writer import WEIGHTS

    return WEIGHTS


def families() -> Iterable[str]:
    from onnxtile.operators.registry import FAMILIES

    return [*FAMILIES, "all"]


def statuses() -> Iterable[str]:
    from onnxtile.lowering.report import STATUSES

    return STATUSES


def views() -> Iterable[str]:
    from onnxtile.cli.profile import FIRST_IO
    from onnxtile.cli.views.profile import VIEWS

    return [*VIEWS, FIRST_IO]


def groups() -> Iterable[str]:
    from onnxtile.profiling.selection import GROUPS

    return GROUPS


def sortable() -> Iterable[str]:
    from onnxtile.profiling.selection import SORTABLE, SORTABLE_ON_ENGINE

    return dict.fromkeys((*SORTABLE, *SORTABLE_ON_ENGINE))


def conventions() -> Iterable[str]:
    from onnxtile.profiling.results import CONVENTIONS

    return CONVENTIONS


def methods() -> Iterable[str]:
    from onnxtile.verification.verify import METHODS

    return METHODS


def engines(incomplete: str) -> list[str]:
    """Return the built-in engines, and engine files of the folder that is being written."""
    from onnxtile.engine.load import names

    folder = Path(incomplete).parent
    files = sorted(filter(_WORD.fullmatch, map(str, folder.glob("*.toml")))) if folder.is_dir() else []
    return [name for name in (*names(), *files) if name.startswith(incomplete)]


def passes(incomplete: str) -> list[str]:
    """Return what a pipeline may go on with: the name of a pass, or an option of the pass in whose braces it is."""
    from onnxtile.errors import OnnxtileError
    from onnxtile.passes.pipelines.options import options_of
    from onnxtile.passes.registry import pass_class, pass_names

    outside, brace, options = incomplete.rpartition("{")
    if not brace or "}" in options:
        return several_of(pass_names)(incomplete)
    try:
        options_known = options_of(pass_class(outside.rpartition(",")[2].strip()))
    except OnnxtileError:
        return []
    known = [key for key, option in options_known.items() if option.as_text]
    before, space, last = options.rpartition(" ")
    given = {option.partition("=")[0] for option in before.split()}
    return [f"{outside}{{{before}{space}{key}=" for key in known if key not in given and key.startswith(last)]


def nodes(incomplete: str) -> list[str]:
    """Return names of the model's nodes, and of those that it was lowered from; none where it can't be read."""
    from onnxtile.ir.graphs import nodes_within
    from onnxtile.ir.io.lazy import skim
    from onnxtile.ir.metadata import ORIGIN

    def read(path: Path) -> Iterable[str]:
        for node in nodes_within(skim(path).graph):
            yield from (node.metadata_props.get(ORIGIN, ""), node.name or "")

    return _of_model(incomplete, read)


def operators(incomplete: str) -> list[str]:
    """Return the operators of the model; none where it can't be read."""
    from onnxtile.ir.graphs import nodes_within
    from onnxtile.ir.io.lazy import skim

    return _of_model(incomplete, lambda path: sorted({node.op_type for node in nodes_within(skim(path).graph)}))


def sizes(incomplete: str) -> list[str]:
    """Return the model's free dimensions with a sign of equality; none where it can't be read."""
    from onnxtile.ir.dimensions import free_dimensions
    from onnxtile.ir.io.lazy import skim

    before, comma, last = incomplete.rpartition(",")
    found = _of_model(last, lambda path: (f"{name}=" for name in free_dimensions(skim(path))))
    return [f"{before}{comma}{name}" for name in found]


def _of_model(incomplete: str, read: Callable[[Path], Iterable[str]]) -> list[str]:
    """Return what is read of the model that the command is about and is a word that begins as it should, each once."""
    from onnxtile.errors import OnnxtileError

    model = next((path for path in map(Path, _words()) if path.is_file()), None)
    if model is None:
        return []
    try:
        names = dict.fromkeys(name for name in read(model) if name.startswith(incomplete))
        return list(filter(_WORD.fullmatch, names))
    except OnnxtileError:  # whoever runs the command is told
        return []


def _words() -> list[str]:
    """Return the words of the line behind the program and the command, as shells hand it over.

    typer has no arguments for a command whose last option lacks its value.
    """
    return next((os.environ[name] for name in _LINES if name in os.environ), "").split()[2:]
