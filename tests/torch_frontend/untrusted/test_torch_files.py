"""Files that are neither TorchScript nor exported programs are refused, and don't run."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

from tests.torch_files import Evil, archive, refused  # noqa: E402  # torch may be missing

PLAIN = "a pickle of Python objects, which would run code when read; save it with torch.jit.save or torch.export.save"


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("what", ["model", "state", "evil"])
def test_what_torch_save_wrote_is_refused(tmp_path: Path, what: str, new: bool) -> None:
    path, trap = tmp_path / "net.pt", tmp_path / "trap"
    model = torch.nn.Linear(2, 2)
    made = {"model": model, "state": model.state_dict(), "evil": Evil(trap)}[what]
    torch.save(made, path, _use_new_zipfile_serialization=new)
    refused(path, re.escape(PLAIN), trap)


def test_other_files_are_refused(tmp_path: Path) -> None:
    import onnx

    for name, data, words in (
        ("empty.pt", b"", "is empty"),
        ("garbage.pt", b"\x01\x02garbage" * 100, "neither a TorchScript archive nor a .pt2"),
        ("text.pt", b"hello", "neither"),
        ("pickle.pt", pickle.dumps({"a": 1}), "a pickle of Python objects"),
        ("old.tar", b"\0" * 257 + b"ustar\0" + b"\0" * 300, "a tar archive of pickles"),
        ("cut.pt", b"PK\x03\x04", "cut off"),
    ):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, words)
    refused(tmp_path / "nonesuch.pt", "no such file or directory; give the path of a .pt or .pt2 file")
    refused(tmp_path, "is a directory")
    refused(archive(tmp_path / "other.zip", {"a/b": b"1"}), "a zip archive that is neither TorchScript nor a .pt2")
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) {y = Abs(x)}'
    )
    onnx.save(model, tmp_path / "net.onnx")
    refused(tmp_path / "net.onnx", "seems to be an ONNX model")
