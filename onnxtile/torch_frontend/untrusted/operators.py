"""The operators that a model in a file may call: those of torch's own libraries that don't reach out of the model.

A file that calls another one is refused before anything of it is loaded (`torch_files.py` for TorchScript,
`exported_files.py` for exported programs).
"""

from __future__ import annotations

import re

_COMMON = ("aten", "prims", "quantized", "_quantized", "torchvision", "torchaudio", "mkldnn", "onednn")
TORCHSCRIPT_NAMESPACES = frozenset([*_COMMON, "prim", "sparse"])
"""Where operators of TorchScript code may come from: `ops.NAMESPACE.NAME`."""
EXPORTED_NAMESPACES = frozenset([*_COMMON, "quantized_decomposed"])
"""Where operators of exported programs may come from: `torch.ops.NAMESPACE.NAME`."""
REFUSED = {
    "save": "writes a file",
    "write_file": "writes a file",
    "load": "reads a file",
    "from_file": "reads a file",
    "read_file": "reads a file",
    r"decode_\w*file": "reads a file",
    r"\w*rpc\w*": "calls other processes",
    r"\w*python\w*": "calls Python",
}
"""Operators that reach out of the model, by patterns of their names in any namespace and case, and how they do."""
_REFUSED = re.compile("|".join(REFUSED), re.IGNORECASE)


def reaches_out(name: str) -> bool:
    """Return whether an operator of that name is refused."""
    return _REFUSED.fullmatch(name) is not None
