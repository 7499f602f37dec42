"""Two small models side by side: what `verify` says of them."""

from __future__ import annotations

import numpy as np

import onnxtile
from tests.support import parse

HEAD = '<ir_version: 10, opset_import: ["" : {opset}, "com.microsoft" : 1]> g '


def status(signature: str, original: str, lowered: str, opset: int = 20, **constants: np.ndarray) -> str:
    """Return `proven`, `tested` or `different`, the least of all regions; `kept` where none was rewritten.

    `signature`: inputs and outputs; `original`, `lowered`: the nodes in between, as ONNX text.
    """
    head = HEAD.format(opset=opset)
    models = [parse(f"{head} {signature} {{ {body} }}", **constants) for body in (original, lowered)]
    verdict = onnxtile.verify(*models, seed=7)
    if not verdict.equivalent:
        return "different"
    found = {region.status for region in verdict.regions}
    return "tested" if "tested" in found else "proven" if found else "kept"
