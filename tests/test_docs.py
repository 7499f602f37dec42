"""What the documents show works: Python blocks run, commands parse, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_blocks_run(document: Path) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL))
    exec(compile(code, str(document), "exec"), {})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_readme_names_every_command_and_option() -> None:
    import typer.main

    from onnxtile.cli.app import app

    text = (ROOT / "README.md").read_text()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]  # a group
        assert f"`onnxtile {name}" in text
        for parameter in command.params:
            option = max(parameter.opts, key=len)
            if option.startswith("--") and option not in (
                "--help",
                "--cases",
                "--seed",
                "--output",
                "--report",
                "--ops",
            ):
                assert option in text, option


def test_the_readme_names_the_makefile_s_targets() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "test-long", "lint", "bench"} <= set(targets)
    assert all(f"make {name}" in (ROOT / "README.md").read_text() for name in ("demo", "test"))
