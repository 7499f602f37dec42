"""Pipelines in TOML files mean what their texts mean; mistakes are told with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxtile.errors import UsageError
from onnxtile.passes.pipelines.pipeline import parse_pipeline, pipeline_text
from onnxtile.passes.pipelines.syntax import DEEPEST
from tests.commands import exact

LIST = """
passes = [
    "infer-shapes, decompose-gemm{max=8,8,8}",
    { pass = "tile-matmul", max = [4, "*", 4], accumulate = "tree", pad_tiles = true },
    { pass = "repeat", times = 2, passes = ["IdentityEliminationPass", { pass = "bind-dims", "a b" = 3 }] },
]
"""
TABLES = """
[[passes]]
pass = "infer-shapes"
[[passes]]
pass = "tile-matmul"
max = "engine:systolic-32"
"""


def read(folder: Path, text: str) -> str:
    (folder / "p.toml").write_text(text)
    return pipeline_text(parse_pipeline(f"@{folder / 'p.toml'}"))


def test_files_mean_what_texts_mean(tmp_path: Path) -> None:
    assert read(tmp_path, LIST) == (
        "infer-shapes,decompose-gemm{max=8,8,8},tile-matmul{max=4,*,4 accumulate=tree pad_tiles=true},"
        'repeat{times=2 IdentityEliminationPass,bind-dims{"a b"=3}}'
    )
    assert read(tmp_path, TABLES) == "infer-shapes,tile-matmul{max=engine:systolic-32}"


CURE = 'write passes = ["NAME", { pass = "NAME", OPTION = VALUE }]'
MISTAKES = {
    "": f": passes is missing: {CURE}",
    "passes = 3": f": passes is 3: {CURE}",
    "passes = []": f": passes is []: {CURE}",
    "pass = []": f': "pass" is unknown: {CURE}',
    "passes = [1]": f": passes[0] is 1: {CURE}",
    'passes = ["infer-shapes", {name = "a"}]': f': passes[1] is {{ name = "a" }}: {CURE}',
    'passes = ["a b"]': ": passes[0], column 3: a comma is missing behind pass a: write NAME,NAME{OPTION=VALUE}",
    'passes = [{ pass = "annotate", clear = 1 }]': ": passes[0]: pass annotate: clear is '1'; write true or false",
    'passes = [{ pass = "annotate", clear = {a = 1} }]': ": passes[0].clear is { a = 1 }: write text, a number, true, "
    "false, or a list of them",
    'passes = [{ pass = "annotate", clear = [1979-05-27] }]': ": passes[0].clear is 1979-05-27: write text, a number, "
    "true, false, or a list of them",
    'passes = [{ pass = "repeat", passes = [{ pass = "repeat" }] }]': ": passes[0].passes[0]: pass repeat needs "
    "passes: write repeat{NAME,NAME}",
    "passes = [": f': line 1, column 11 isn\'t TOML: invalid value, in "passes = ["; {CURE}',
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_with_their_place(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=exact(f"{tmp_path / 'p.toml'}{MISTAKES[text]}")):
        read(tmp_path, text)


def test_lists_as_deep_as_the_deepest_and_deeper(tmp_path: Path) -> None:
    inner = '"infer-shapes"'
    for _ in range(DEEPEST):
        inner = f'{{ pass = "repeat", passes = [{inner}] }}'
    assert read(tmp_path, f"passes = [{inner}]").count("repeat{") == DEEPEST
    with pytest.raises(UsageError, match="more than 20 lists of passes within each other: write fewer"):
        read(tmp_path, f'passes = [{{ pass = "repeat", passes = [{inner}] }}]')


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=exact("pipeline 'nonesuch.toml': no such file or directory")):
        parse_pipeline("@nonesuch.toml")
