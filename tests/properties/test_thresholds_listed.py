"""No size at which code does another thing is missing from the table of tests on both sides of each."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import onnxtile
from onnxtile.ir.bounds import BOUNDS
from tests.support import ROOT
from tests.thresholds import NO_SIZES, THRESHOLDS

PACKAGE, TESTS = Path(onnxtile.__file__).parent, ROOT / "tests"


def numbers_in(path: Path) -> set[str]:
    """Names in capitals that a module sets to a number at its top."""
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    found = set()
    for statement in ast.parse(path.read_text()).body:
        target = statement.target if isinstance(statement, ast.AnnAssign) else None
        target = statement.targets[0] if isinstance(statement, ast.Assign) else target
        value = getattr(statement, "value", None)
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, number in pairs:
            if isinstance(name, ast.Name) and name.id.lstrip("_").isupper() and number and is_number(number):
                found.add(f"{module}.{name.id}")
    return found


def is_number(value: ast.expr) -> bool:
    """A number, or arithmetic on numbers."""
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    nodes = list(ast.walk(value))
    numbers = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return all(isinstance(node, kinds) for node in nodes) and all(type(each) in (int, float) for each in numbers)


def test_every_size_is_listed() -> None:
    present = set().union(*map(numbers_in, PACKAGE.rglob("*.py")), (f"ir.bounds.BOUNDS[{name}]" for name in BOUNDS))
    listed = THRESHOLDS.keys() | NO_SIZES.keys()
    assert not THRESHOLDS.keys() & NO_SIZES.keys()
    assert sorted(present - listed) == [], "list it in tests/thresholds.py, with a test on both sides of it"
    assert sorted(listed - present) == [], "it's gone: take it off the list"


def test_numbers_are_known_by_what_they_are_set_to() -> None:
    kinds = {
        "1 << 20": True,
        "2**31 - 1": True,
        "-1": True,
        "1e-3": True,
        "(1, 2)": False,
        "'a'": False,
        "len(x)": False,
    }
    assert {text: is_number(ast.parse(text, mode="eval").body) for text in kinds} == kinds


@pytest.mark.parametrize("name", THRESHOLDS)
def test_the_test_is_there_and_speaks_of_the_size(name: str) -> None:
    _, file, test = THRESHOLDS[name]
    tree = ast.parse((TESTS / file).read_text())
    (function,) = (each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == test)
    assert re.findall(r"[\w-]+", name)[-1].lower() in ast.unparse(function).lower()
