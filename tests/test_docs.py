"""Test that what the documents show is true: Python blocks run, commands print what is shown, links lead somewhere."""

from __future__ import annotations

import importlib
import inspect
import json
import posixpath
import re
import runpy
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
from onnxtile.operators.registry import declare
from onnxtile.passes.decompose import Decompose
from onnxtile.tiling.forms.form import Form
from tests.commands import Cli

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))  # in front: both have networks
import demo
import engine_share
import hooks
import networks
import references

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
FILES_OF_READERS = {
    name: code
    for document in DOCUMENTS
    for name, code in re.findall(
        r"[Ii]n `(\w+\.py)`(?:, [^\n]*)?:\n\n```python\n(.*?)```", document.read_text(), re.DOTALL
    )
}
"""Files that documents tell their readers to write, and what's in them."""
GENERATED = {f"docs/{name}" for name in hooks.GENERATED}
"""Files that are made when the site is built."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_blocks_run(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL))
    exec(compile(code, str(document), "exec"), {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what a reader has who did what README.md says: `demo` as `make demo` leaves it, and `examples`."""
    folder = tmp_path_factory.mktemp("reader")
    demo.prepare(folder / "demo")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    for name, code in FILES_OF_READERS.items():
        (folder / "demo" / name).write_text(code)
    return folder


def commands(document: Path) -> Iterator[tuple[str, list[str]]]:
    """Commands of console blocks, each with the lines that it's said to print."""
    for block in re.findall(r"```console\n(.*?)```", document.read_text(), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown.splitlines()


def agree(shown: Sequence[str], printed: Sequence[str], loose: bool = False) -> bool:
    """Return whether lines are what a document shows: `...` stands for any lines, a time for any time.

    `loose`: fractions may differ by a hundredth of themselves, as results of floats do between processors.
    """
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(agree(shown[1:], printed[start:], loose) for start in range(len(printed) + 1))
    return bool(printed) and _same(shown[0], printed[0], loose) and agree(shown[1:], printed[1:], loose)


def _same(shown: str, printed: str, loose: bool) -> bool:
    one, other = (re.sub(r" *\d+(\.\d+)? (ms|s)\b", " TIME", line) for line in (shown, printed))
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
        if program == "python":
            runpy.run_path(words[0])
            continue
        assert program == "onnxtile"
        if any(word.startswith("torch_networks:") for word in words) and not find_spec("torch"):
            continue
        status, out, err = cli(*words)
        printed = (out + err).splitlines()
        assert agree(shown, printed, loose=words[0] == "capture"), "\n".join([command, *printed])
        assert document != demo.README or status == (words[0] in demo.NOT_FITTING), command
    for name in FILES_OF_READERS:
        sys.modules.pop(name.removesuffix(".py"), None)


def test_what_is_shown_is_compared() -> None:
    assert agree(["a 1", "...", "b 12 ms"], ["a 1", "x", "y", "b 7.5 ms"])
    assert not agree(["a 1"], ["a 2"]) and not agree(["a"], ["a", "b"]) and not agree(["a", "..."], [])
    assert not agree(["a  1"], ["a 1"]) and not agree(["a 1.00 MB"], ["a 1.01 MB"])
    assert agree(["x  -0.25 3"], ["x -0.251 3"], loose=True) and not agree(["x 1.5"], ["x 1.6"], loose=True)
    assert not agree(["x 1.5 2"], ["x 1.5 3"], loose=True) and not agree(["x 1.5"], ["x y"], loose=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", prose(document)):
        path = posixpath.normpath(posixpath.join(document.parent.relative_to(ROOT).as_posix(), target))
        assert path in GENERATED or (ROOT / path).exists(), target
        page = document if not target else ROOT / path
        if anchor and page.suffix == ".md" and path not in GENERATED:
            assert anchor in anchors(page), f"{target}#{anchor}"


def prose(document: Path) -> str:
    """A document without its code."""
    return re.sub(r"^```.*?^```|`[^`\n]*`", "`", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Names of a page's headings in links."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return {
        re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())
        for heading in re.findall(r"^#+ (.+)", text, re.MULTILINE)
    }


def test_a_link_to_no_heading_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `a.py`, two\n```sh\n# no heading\n```\n## JSON\n")
    assert anchors(page) == {"one-apy-two", "json"}


def test_every_page_is_in_the_site_s_navigation() -> None:
    listed = re.findall(r"^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2], re.MULTILINE)
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in DOCUMENTS if ROOT / "docs" in path.parents}
    decisions = {page for page in pages if page.startswith("decisions/") and page != "decisions/README.md"}
    generated = {name for name in hooks.GENERATED if name.endswith(".md")} | set(hooks.OUTSIDE.values())
    assert sorted(listed) == sorted((pages - decisions) | generated), "mkdocs.yml lists each page below nav once"


def test_generated_pages_have_what_the_code_has(tmp_path: Path) -> None:
    written = {name: write() for name, write in references.PAGES.items()}
    assert "\n## `onnxtile lower`\n" in written["reference/commands.md"]
    assert "`--dry-run`" in written["reference/commands.md"]
    assert "\n## tile-matmul\n" in written["reference/passes.md"]
    assert "| `accumulate` | chain, tree or sum | `chain` |" in written["reference/passes.md"]
    assert "&#42;" in written["reference/passes.md"]
    assert "\n::: onnxtile.api.lower.lower\n" in written["reference/python.md"]
    assert "| `clock` | number or text |  |" in written["reference/engine-file.md"]
    for name, text in written.items():
        page = tmp_path / "page.md"
        page.write_text(text)
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", prose(page)):
            there = ROOT / "docs" / posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            assert not target or there.exists() or there.relative_to(ROOT).as_posix() in GENERATED
            assert not anchor or anchor in anchors(there if target else page), anchor


def test_the_code_of_plugins_is_that_of_the_example() -> None:
    files = [path.read_text() for path in (ROOT / "examples" / "plugin").rglob("*.py")]
    blocks = re.findall(r"```py\n(.*?)```", (ROOT / "docs" / "plugins.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    assert all(any(block in text for text in files) for block in blocks)


def test_what_plugins_take_is_there_and_needed_members_are_named() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    for name in (name for names in references.PLUGIN_API.values() for name in names):
        module, _, member = f"onnxtile.{name}".rpartition(".")
        assert hasattr(importlib.import_module(module), member), name
    abstract = Decompose.__abstractmethods__ | Form.__abstractmethods__
    needed = {"operators", *abstract, *Form.__annotations__, *inspect.signature(declare).parameters}
    assert all(re.search(rf"`{name}[`(]", page) for name in needed - {"keeps_calls", "names", "domains"})


def test_docstrings_of_the_references_are_markdown() -> None:
    text = references.python() + references.plugins()
    for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE):
        module, _, member = name.rpartition(".")
        words = inspect.getdoc(getattr(importlib.import_module(module), member)) or ""
        assert words and not re.search(r"^>>>", words, re.MULTILINE), f"{name}: indent its example, as code"


def test_links_lead_to_pages_of_the_site() -> None:
    text = "[a](docs/forms.md#loop) [`b`](CONTRIBUTING.md) `[c](README.md)` [d](LICENSE) ![e](x.svg) C[m][n]"
    assert hooks.in_site(text, "index.md") == (
        "[a](forms.md#loop) [`b`](contributing.md) `[c](README.md)` d ![e](x.svg) C&#91;m]&#91;n]"
    )
    assert hooks.in_site("[a](../../README.md) [b](README.md)", "decisions/json.md") == (
        "[a](../index.md) [b](README.md)"
    )


@pytest.mark.parametrize("name", hooks.DRAWINGS)
def test_drawings_are_whole_and_the_same_each_time(name: str) -> None:
    from xml.etree import ElementTree

    drawn = hooks.DRAWINGS[name]()
    assert drawn == hooks.DRAWINGS[name]()
    root = ElementTree.fromstring(drawn)
    width = float(root.attrib["width"])
    for line in root.iter("{http://www.w3.org/2000/svg}text"):
        long = len(line.text or "") * int(line.attrib["font-size"]) * 0.53
        left = float(line.attrib["x"]) - (long / 2 if line.attrib["text-anchor"] == "middle" else 0)
        assert left >= 0, line.text
        assert left + long <= width, line.text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"`([\w./*]+\.(?:py|md))`", document.read_text())) - set(FILES_OF_READERS)
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
    assert {"demo", "test", "test-long", "test-wheel", "lint", "bench", "docs"} <= set(targets)
    assert all(f"make {name}" in (ROOT / "README.md").read_text() for name in ("demo", "test"))
