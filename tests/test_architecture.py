"""The layout holds: layers import one way, folders say what they are, files stay small, each module has its test."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

import onnxtile

PACKAGE = Path(onnxtile.__file__).parent
LAYERS = [
    "errors", "ir", "operators", "tiling", "engine", "passes", "profiling", "lowering", "exploration", "plots",
    "verification", "drawing", "debugging", "torch_frontend", "api", "cli",
]  # fmt: skip
"""Each layer imports itself and those before it."""
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in LAYERS)
FOLDERS = sorted({path.parent for path in FILES if path.parent != PACKAGE})
LARGEST_FILE, LARGEST_PASS = 350, 135


def imported_by(tree: ast.Module) -> set[str]:
    """Return the modules of onnxtile that are imported, at the top or inside functions, but not for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    modules = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return {module.removeprefix("onnxtile.") for module in modules if module.startswith("onnxtile.")}


def against_the_order(layer: str, tree: ast.Module) -> list[str]:
    """Return what a file of that layer imports from layers that come after it."""
    modules = (module for module in imported_by(tree) if module.split(".")[0] in LAYERS)
    return sorted(module for module in modules if LAYERS.index(module.split(".")[0]) > LAYERS.index(layer))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_layers_import_one_way(path: Path) -> None:
    assert against_the_order(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), ast.parse(path.read_text())) == []


def test_an_import_against_the_order_is_seen() -> None:
    tree = ast.parse("from onnxtile.tiling.limits import Limits\ndef f():\n    from onnxtile.lowering import check")
    assert against_the_order("operators", tree) == ["lowering.check", "tiling.limits.Limits"]
    assert against_the_order("lowering", tree) == []


def test_the_package_shows_its_layers_and_nothing_else() -> None:
    entries = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert entries - {"__init__", "__main__", "__pycache__"} == set(LAYERS)
    assert len(LAYERS) == 16


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(PACKAGE)))
def test_a_folder_says_what_it_is(folder: Path) -> None:
    init = folder / "__init__.py"
    assert init.exists()
    docstring = ast.get_docstring(ast.parse(init.read_text()))
    assert docstring
    assert "\n\n" not in docstring
    assert len(ast.parse(init.read_text()).body) == 1 or folder in GIVING


GIVING = (PACKAGE / "passes", PACKAGE / "debugging" / "instruments")
"""Folders that are public: passes and instruments are imported from them."""


def test_files_are_small() -> None:
    lines = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in FILES}
    assert {name for name, count in lines.items() if count > LARGEST_FILE} == set()
    passes = {name: count for name, count in lines.items() if Path(name).parent == Path("passes")}
    assert {name for name, count in passes.items() if count > LARGEST_PASS and name not in NO_PASSES} == set()


NO_PASSES = {"passes/registry.py"}  # names of passes, and pipelines as text


TESTED_THROUGH_OTHERS: dict[str, str] = {}
"""Modules, or folders, without a test of their name: the reason."""
TESTS = PACKAGE.parent / "tests"


def own_tests(module: str, tests: Path = TESTS) -> list[Path]:
    """Return the tests of a module such as `passes/base.py`: test_base.py in that folder, or several parts of it."""
    folder, stem = (tests / module).parent, Path(module).stem
    return [*folder.glob(f"test_{stem}.py"), *folder.glob(f"test_{stem}_*.py")]


def untested(modules: Iterable[str], tests: Path = TESTS) -> list[str]:
    """Return the modules that have no test of their name and no reason."""
    return [
        module
        for module in modules
        if not own_tests(module, tests) and not any(module.startswith(reasoned) for reasoned in TESTED_THROUGH_OTHERS)
    ]


def test_each_module_has_tests_of_its_name() -> None:
    modules = [path.relative_to(PACKAGE).as_posix() for path in FILES if path.stem != "__init__"]
    assert untested(modules) == []


def test_a_module_without_tests_is_seen(tmp_path: Path) -> None:
    (tmp_path / "ir").mkdir()
    (tmp_path / "ir" / "test_names_of_bodies.py").touch()
    assert untested(["ir/names.py", "ir/name.py", "tiling/names.py"], tmp_path) == ["ir/name.py", "tiling/names.py"]


def test_reasons_are_few_and_needed() -> None:
    assert len(TESTED_THROUGH_OTHERS) <= 5
    for name in TESTED_THROUGH_OTHERS:
        assert (PACKAGE / name).exists()
        assert name.endswith("/") or not own_tests(name)


def test_public_names() -> None:
    for name in onnxtile.__all__:
        assert getattr(onnxtile, name) is not None
    assert dir(onnxtile) == sorted(onnxtile.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonesuch'"):
        _ = onnxtile.nonesuch  # type: ignore[attr-defined]  # that's the point


def test_public_passes() -> None:
    for name in onnxtile.passes.__all__:
        assert getattr(onnxtile.passes, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nonesuch'"):
        _ = onnxtile.passes.Nonesuch  # type: ignore[attr-defined]  # that's the point


def test_passes_stay_in_sight_at_the_top() -> None:
    link = PACKAGE.parent / "passes"
    if link.is_symlink():  # in a checkout
        assert link.resolve() == PACKAGE / "passes"
