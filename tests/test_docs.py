"""What the documents show is true: Python blocks run, commands print what is shown, links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import pytest

import onnxtile
from onnxtile.ir.symbolic.rounded import percent_text
from tests.commands import Cli

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))  # in front: both have networks
import demo
import engine_share
import networks

ROOT = Path(__file__).parents[1]
DECISIONS = sorted(
    page for page in (ROOT / "docs" / "decisions").glob("*.md") if page.stem not in ("README", "template")
)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
FILES = {
    path.relative_to(ROOT).as_posix()
    for path in [
        *ROOT.glob("*"),
        *(
            path
            for name in ("onnxtile", "tests", "docs", "benchmarks", "examples")
            for path in (ROOT / name).rglob("*")
        ),
    ]
}
FILES_OF_READERS = {"mine.py"}
"""Files that a document tells its reader to write."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_blocks_run(document: Path) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL))
    exec(compile(code, str(document), "exec"), {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has who did what README.md says: `demo` as `make demo` leaves it, and `examples`."""
    folder = tmp_path_factory.mktemp("reader")
    demo.prepare(folder / "demo")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    (mine,) = re.findall(r"in `mine.py`:\n\n```python\n(.*?)```", (ROOT / "docs" / "passes.md").read_text(), re.DOTALL)
    (folder / "demo" / "mine.py").write_text(mine)
    return folder


def commands(document: Path) -> Iterator[tuple[str, list[str]]]:
    """Commands of console blocks, each with the lines that it's said to print."""
    for block in re.findall(r"```console\n(.*?)```", document.read_text(), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown.splitlines()


def agree(shown: Sequence[str], printed: Sequence[str], loose: bool = False) -> bool:
    """Whether lines are what a document shows: `...` stands for any lines, a time for any time.

    `loose`: fractions may differ by a hundredth of themselves, as results of floats do between processors.
    """
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(agree(shown[1:], printed[start:], loose) for start in range(len(printed) + 1))
    return bool(printed) and _same(shown[0], printed[0], loose) and agree(shown[1:], printed[1:], loose)


def _same(shown: str, printed: str, loose: bool) -> bool:
    one, other = (re.sub(r"\d+(\.\d+)? (ms|s)\b", "TIME", line) for line in (shown, printed))
    if not loose:
        return one == other
    pairs = list(zip(one.split(), other.split(), strict=False))
    return len(one.split()) == len(other.split()) and all(
        left == right or ("." in left and _number(right) == pytest.approx(_number(left), rel=0.01))
        for left, right in pairs
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


@pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if "```console" in path.read_text()],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_commands_print_what_is_shown(document: Path, folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a reader's place; those for torch only where it is."""
    monkeypatch.chdir(folder / "demo")
    monkeypatch.setattr(sys, "path", list(sys.path))
    for command, shown in commands(document):
        program, *words = shlex.split(command)
        if program == "cd":
            monkeypatch.chdir(words[0])
            continue
        assert program == "onnxtile"
        if any(word.startswith("torch_networks:") for word in words) and not find_spec("torch"):
            continue
        status, out, err = cli(*words)
        printed = (out + err).splitlines()
        assert agree(shown, printed, loose=words[0] == "capture"), "\n".join([command, *printed])
        assert document != demo.README or status == (words[0] in demo.NOT_FITTING), command
    sys.modules.pop("mine", None)


def test_what_is_shown_is_compared() -> None:
    assert agree(["a 1", "...", "b 12 ms"], ["a 1", "x", "y", "b 7.5 ms"])
    assert not agree(["a 1"], ["a 2"]) and not agree(["a"], ["a", "b"]) and not agree(["a", "..."], [])
    assert not agree(["a  1"], ["a 1"]) and not agree(["a 1.00 MB"], ["a 1.01 MB"])
    assert agree(["x  -0.25 3"], ["x -0.251 3"], loose=True) and not agree(["x 1.5"], ["x 1.6"], loose=True)
    assert not agree(["x 1.5 2"], ["x 1.5 3"], loose=True) and not agree(["x 1.5"], ["x y"], loose=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"`([\w./*]+\.(?:py|md))`", document.read_text())) - FILES_OF_READERS
    assert {name for name in named if not any(fnmatch(f"/{file}", f"*/{name}") for file in FILES)} == set()


def test_where_to_change_what_names_the_tests_of_each_file() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().partition("## Where to change what")[2]
    rows = [line.split(" | ") for line in text.splitlines() if "`tests/" in line]
    assert len(rows) >= 8
    for _, files, tests in rows:
        for module in re.findall(r"`([\w/]+)\.py`", files):
            assert f"tests/{Path(module).parent}/test_{Path(module).name}.py" in tests, module


@pytest.mark.parametrize("page", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_sections_and_a_line_in_the_index(page: Path) -> None:
    text = page.read_text()
    assert re.match(r"# .+\n\nStatus: (accepted|superseded by \[.+\]\(.+\)), \d{4}-\d\d-\d\d\n", text)
    assert re.findall(r"^## (.+)", text, re.MULTILINE) == ["Context", "Decision", "Alternatives", "Consequences"]
    assert all(re.findall(r"^## .+\n\n(.+)", text, re.MULTILINE))
    title, date = re.findall(r"^# (.+)\n\n.+, (.+)", text)[0]
    assert f"| [{title}]({page.name}) | {date} |" in (page.parent / "README.md").read_text()
    assert max(map(len, text.splitlines())) <= 120


def test_the_documents_name_every_command_and_option() -> None:
    import typer.main

    from onnxtile.cli.app import app

    text = (ROOT / "README.md").read_text()
    both = text + (ROOT / "docs" / "commands.md").read_text()
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
                assert option in both, option


def test_the_page_of_reports_names_every_member(folder: Path, cli: Cli) -> None:
    net, told = folder / "demo" / "net.onnx", (ROOT / "docs" / "reports.md").read_text().partition("## JSON")[2]
    whole, rows = (set(re.findall(r"`(\w+)`", _first_column(part))) for part in told.split("A row of `contractions`"))
    calls = (["check"], ["lower", "--dry-run"], ["lower", "--time-passes", "--verify", "-o", folder / "out.onnx"])
    documents = [json.loads(cli(*call, net, "--max", "4,4,4", "--json")[1]) for call in calls]
    assert {name for document in documents for name in document} == whole - {"verify_torch"}
    assert {name for document in documents for row in document["contractions"] for name in row} == rows - {"schedule"}


def _first_column(text: str) -> str:
    return "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))


def test_the_demo_does_what_the_readme_shows_which_is_short() -> None:
    shown = [command for command, _ in commands(demo.README)]
    assert list(demo.commands()) == shown
    assert len({command.split()[1] for command in shown}) >= 5
    assert len(demo.README.read_text().splitlines()) <= 150


def test_the_readme_s_table_is_what_is_computed() -> None:
    assert "\n\n" + "\n".join(engine_share.table()) + "\n\n" in (ROOT / "README.md").read_text()


def test_the_table_s_calls_are_those_of_the_model_that_is_written() -> None:
    written, report = onnxtile.lower(networks.tagger(), engine_share.LIMITS, form="batched", report=True)
    calls = sum(row.calls for row in onnxtile.profile(written).nodes)  # type: ignore[misc]  # all are numbers
    assert engine_share.row("LSTM tagger, 32 words")[-2:] == (f"{calls:,}", percent_text(report.engine.utilization))


def test_the_readme_names_the_makefile_s_targets() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "test-long", "lint", "bench"} <= set(targets)
    assert all(f"make {name}" in (ROOT / "README.md").read_text() for name in ("demo", "test"))
