"""The layout holds: imports run one way, files stay small, the public names are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import onnxtile

PACKAGE = Path(onnxtile.__file__).parent
LAYERS = [
    {"errors", "kinds", "printable", "following", "partial"},
    {"bounds"},
    {"limits", "tiling", "progress", "provenance", "wire", "arrays", "data_files", "shadowing"},
    {"folding", "blockwise"},
    {"contraction"},
    {"structure"},
    {"calls"},
    {"audit", "constants", "dimensions", "left_out", "names", "opset_imports"},
    {"legality"},
    {"profiling"},
    {"shapes"},
    {"forms"},
    {"registry", "source", "report", "streaming"},
    {"rewriting", "instrument"},
    {"passes"},
    {"pipeline", "interop", "files", "skimming"},
    {"writer"},
    {"costs", "checking", "saving", "declarations"},
    {"profiler", "annotating"},
    {"postcondition", "reproducing"},
    {"lowering"},
    {"verification"},
    {"capturing"},
    {"torching"},
    {"frontends"},
    {"instruments"},
    {"reduction"},
    {"cli"},
]
SIDEWAYS = {  # within one layer: who may import whom
    ("dimensions", "constants"),  ("passes", "passes"),  ("rewriting", "rewriting"), ("forms", "forms"), ("cli", "cli"),
    ("verification", "verification"),  ("contraction", "contraction"),
    ("capturing", "capturing"),  ("instruments", "instruments"),
    ("profiling", "profiling"),  ("shapes", "shapes"),  ("reduction", "reduction"),  ("torching", "torching"),
}  # fmt: skip


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> set[str]:
    """Parts of onnxtile that a file imports, at its top or inside functions, but not for types only."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names = [module.split(".")[1] for module in modules if module.startswith("onnxtile.")]
    names += [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "onnxtile"
        for alias in node.names
        if (PACKAGE / f"{alias.name}.py").exists() or (PACKAGE / alias.name).is_dir()
    ]
    return set(names)


FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name not in ("__main__.py",) and path.parent != PACKAGE / "x"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    for imported in imports(path):
        below = level[imported] < level[part]
        assert below or (part, imported) in SIDEWAYS, f"{part} imports {imported}"


def test_files_are_small() -> None:
    lines = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in FILES}
    assert {name for name, count in lines.items() if count > 350} == set()
    assert {name for name, count in lines.items() if name.startswith("passes/") and count > 135} == set()


def test_public_names() -> None:
    for name in onnxtile.__all__:
        assert getattr(onnxtile, name) is not None
    assert dir(onnxtile) == sorted(onnxtile.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonesuch'"):
        _ = onnxtile.nonesuch  # type: ignore[attr-defined]  # that's the point


def test_passes_stay_in_sight_at_the_top() -> None:
    link = PACKAGE.parent / "passes"
    if link.is_symlink():  # in a checkout
        assert link.resolve() == PACKAGE / "passes"
