"""Test what the package says of itself on an index: its links, its Pythons, its version."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import onnxtile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_links_of_the_description_lead_to_the_project() -> None:
    readme, urls = (ROOT / "README.md").read_text(), PROJECT["project"]["urls"]
    (rule,) = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]
    shown = re.sub(rule["pattern"], rule["replacement"], readme)
    targets = re.findall(r"\]\(([^)]+)\)", shown)
    assert len(targets) == len(re.findall(r"\]\(", readme)) > 20
    for target in targets:
        assert target.startswith((urls["Source"] + "/", "#", "https://")), target
    assert f"]({urls['Source']}/blob/main/docs/commands.md)" in shown
    assert "](docs/" not in shown


def test_classifiers_name_the_pythons_that_are_supported() -> None:
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert named == ["3.10", "3.11", "3.12", "3.13"]
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (.+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert re.fullmatch(re.escape(onnxtile.__version__) + r"(?: \(unreleased\)|, \d{4}-\d\d-\d\d)", headings[0])
    assert all(re.fullmatch(r"\d+\.\d+\.\d+, \d{4}-\d\d-\d\d", heading) for heading in headings[1:])


def test_the_program_has_the_package_s_name_so_that_pipx_runs_it() -> None:
    assert list(PROJECT["project"]["scripts"]) == [PROJECT["project"]["name"]]


def test_nothing_that_is_needed_needs_torch_or_a_compiler() -> None:
    needed = {re.split(r"[^\w-]", line)[0].lower() for line in PROJECT["project"]["dependencies"]}
    assert not needed & {"torch", "onnx-graphsurgeon", "onnxscript", "matplotlib", "pandas"}
