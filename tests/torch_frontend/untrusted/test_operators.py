"""Operators that a file may call: the table that decides, for TorchScript and exported programs."""

from __future__ import annotations

import pytest

from onnxtile.errors import ModelError
from onnxtile.torch_frontend.untrusted.exported_files import check_json
from onnxtile.torch_frontend.untrusted.operators import (
    EXPORTED_NAMESPACES,
    REFUSED,
    TORCHSCRIPT_NAMESPACES,
    reaches_out,
)
from onnxtile.torch_frontend.untrusted.torch_files import check_code

NAMES = {
    "save": ["save", "Save"], "write_file": ["write_file"], "load": ["load"], "from_file": ["from_file"],
    "read_file": ["read_file"], r"decode_\w*file": ["decode_file", "decode_wav_file"],
    r"\w*rpc\w*": ["rpc_async", "rpc_sync"], r"\w*python\w*": ["PythonOp", "IgnoredPythonOp"],
}  # fmt: skip


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_reaches_out_is_refused_in_every_namespace(pattern: str) -> None:
    for name in NAMES[pattern]:
        assert reaches_out(name)
        for code in (
            f"y = torch.{name}(x)",
            *(f"y = ops.{namespace}.{name}(x)" for namespace in TORCHSCRIPT_NAMESPACES),
        ):
            with pytest.raises(ModelError, match=f"refused: calls .*{name}, which may reach out of the model"):
                check_code(code.encode(), "net.pt")
        for namespace in EXPORTED_NAMESPACES:
            with pytest.raises(ModelError, match="refused: the operator"):
                check_json({"target": f"torch.ops.{namespace}.{name}.default"}, "net.pt2")


def test_operators_of_torchs_own_libraries_are_taken_and_others_refused() -> None:
    for namespace in TORCHSCRIPT_NAMESPACES:
        check_code(f"y = ops.{namespace}.add(x)".encode(), "net.pt")
    for namespace in EXPORTED_NAMESPACES:
        check_json({"target": f"torch.ops.{namespace}.add.Tensor"}, "net.pt2")
    with pytest.raises(ModelError, match="refused: calls ops.image.resize, which may reach out of the model"):
        check_code(b"y = ops.image.resize(x)", "net.pt")
    with pytest.raises(ModelError, match="refused: the operator 'torch.ops.image.resize.default'"):
        check_json({"target": "torch.ops.image.resize.default"}, "net.pt2")
