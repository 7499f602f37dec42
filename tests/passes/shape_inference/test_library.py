"""Our rules are put into onnx_shape_inference by a call, not by an import."""

from __future__ import annotations

import subprocess
import sys

from onnx_shape_inference import registry

from onnxtile.passes.shape_inference.library import install

IMPORTS_ALL = """
import importlib, pkgutil
from onnx_shape_inference import ShapeInferenceContext, registry

def rules():
    operators = [(domain, op, version) for domain, op, since in registry.iter_supported() for version in since]
    methods = ShapeInferenceContext.get_symbolic_value, ShapeInferenceContext.set_symbolic_value
    return [(*operator, registry.get(*operator)) for operator in operators], methods

before = rules()
import onnxtile
for module in pkgutil.walk_packages(onnxtile.__path__, "onnxtile."):
    if not module.name.startswith(("onnxtile.torch_frontend.", "onnxtile.__main__")):  # torch may be absent
        importlib.import_module(module.name)
from onnxtile.passes.shape_inference.library import install
assert rules() == before, "an import changed the library"
install()
assert rules() != before
"""


def test_an_import_leaves_the_library_as_it_was() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS_ALL], check=True, timeout=120)


def test_rules_are_installed_once() -> None:
    install()
    rule = registry.get("", "MatMul", 13)
    install()
    assert registry.get("", "MatMul", 13) is rule
