"""TorchScript whose code calls operators that reach out of the model, or might hide them, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

from tests.torch_files import changed, refused  # noqa: E402  # torch may be missing


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("torch.save(x, 'there')", "refused: calls torch.save"),
        ("torch . save (x, 'there')", "refused: calls torch.save"),
        ("y = torch.from_file('there', False, 2)", "refused: calls torch.from_file"),
        ("y = ops.image.read_file('there')", "refused: calls ops.image.read_file"),
        ("t = torch; t.save(x, 'there')", "'torch' is used in a way that TorchScript doesn't write"),
        ("torch.autograd.save(x, 'there')", "'torch' is used in a way that TorchScript doesn't write"),
        ("t = torch.autograd; t.save(x, 'there')", "'torch' is used in a way that TorchScript doesn't write"),
        ("t = ops.aten\n    t.save(x, 'there')", "'ops' is used in a way that TorchScript doesn't write"),
        ("(ops.aten).save(x, 'there')", "'ops' is used in a way that TorchScript doesn't write"),
        ("getattr(ops.aten, 'save')(x, 'there')", "'ops' is used in a way that TorchScript doesn't write"),
        ("y = 'unfinished", "isn't code|torch .* can't load it"),
    ],
)
def test_torchscript_code_that_reaches_out_is_refused(script: Path, tmp_path: Path, line: str, words: str) -> None:
    def inserted(code: bytes) -> bytes:
        head, signature, body = code.partition(b"List[Tensor]]:\n")
        return head + signature + b"    " + line.encode() + b"\n" + body

    refused(changed(script, tmp_path / "net.pt", "torch_scripts.py", inserted), words)


def test_a_scripted_save_is_refused(tmp_path: Path) -> None:
    class Saves(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.save(x, "there")
            return x

    torch.jit.save(torch.jit.script(Saves()), str(tmp_path / "net.pt"))
    refused(tmp_path / "net.pt", "refused: calls torch.save")
