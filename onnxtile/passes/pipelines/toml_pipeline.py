"""Read a pipeline from a file in TOML: a list of names, of texts, and of tables with options."""

from __future__ import annotations

from pathlib import Path

from onnxtile.errors import UsageError
from onnxtile.ir.io.toml_files import table_of_text, text_of_file, toml_text
from onnxtile.passes.pipelines.syntax import DEEPEST, Source, Step, Word, read_steps

KIND = "pipeline file"
PASSES, PASS = "passes", "pass"
"""The field with the passes, and that with a pass's name, which can't be one of its options: Python keeps the word."""
_CURE = 'write passes = ["NAME", { pass = "NAME", OPTION = VALUE }]'


def steps_of_file(path: str) -> tuple[Step, ...]:
    """Read the steps of a file. Raises UsageError with the place in it.

    `passes = ["infer-shapes", { pass = "tile-matmul", max = [64, 64, 64] }]`, or a table `[[passes]]` for each; a text
    may be several steps. A pass that holds passes has a field `passes`.
    """
    table = table_of_text(text_of_file(Path(path), path, KIND), path, KIND, _CURE)
    for name in table:
        if name != PASSES:
            raise UsageError(f"{path}: {toml_text(name)} is unknown: {_CURE}")
    return _steps(table.get(PASSES), f"{path}: {PASSES}", 0)


def _steps(items: object, place: str, depth: int) -> tuple[Step, ...]:
    if not isinstance(items, list) or not items:
        raise UsageError(f"{place} is {toml_text(items) if items is not None else 'missing'}: {_CURE}")
    if depth > DEEPEST:
        raise UsageError(f"{place}: more than {DEEPEST} lists of passes within each other: write fewer")
    steps: list[Step] = []
    for index, item in enumerate(items):
        here = f"{place}[{index}]"
        if isinstance(item, str):
            steps += read_steps(Source(item, here))
        elif isinstance(item, dict) and isinstance(item.get(PASS), str):
            steps.append(_step(item, Source(name=here), depth))
        else:
            raise UsageError(f"{here} is {toml_text(item)}: {_CURE}")
    return tuple(steps)


def _step(table: dict[str, object], source: Source, depth: int) -> Step:
    held = _steps(table[PASSES], f"{source.name}.{PASSES}", depth + 1) if PASSES in table else None
    options = [
        (Word(key, source=source), Word(_text(value, f"{source.name}.{key}"), isinstance(value, str), source))
        for key, value in table.items()
        if key not in (PASS, PASSES)
    ]
    return Step(Word(str(table[PASS]), source=source), tuple(options), held)


def _text(value: object, place: str) -> str:
    """Return a value as an option's text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list):
        return ",".join(_text(each, place) for each in value)
    raise UsageError(f"{place} is {toml_text(value)}: write text, a number, true, false, or a list of them")
