"""Both sides of each size at which code for torch's models does another thing; `tests/thresholds.py` lists them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from onnxtile.ir.printable import WORDS

torch = pytest.importorskip("torch")

from onnxtile.errors import ModelError, UsageError  # noqa: E402  # torch first: without it there's nothing to test
from onnxtile.torch_frontend import capture as capturing  # noqa: E402
from onnxtile.torch_frontend import export as exporting  # noqa: E402
from onnxtile.torch_frontend import inputs  # noqa: E402
from onnxtile.torch_frontend.load import running  # noqa: E402
from onnxtile.torch_frontend.network import Network  # noqa: E402
from onnxtile.torch_frontend.untrusted import archives  # noqa: E402


def test_archives_that_unpack_to_as_much_as_is_read_and_to_more(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data", bytes(50_000))
    times = 50_000 / len(file.getvalue())
    assert times > archives.MOST_TIMES
    with pytest.raises(ModelError, match="unpack to 50,000: refused"):
        archives.Archive(file, "it")
    monkeypatch.setattr(archives, "MOST_TIMES", times)
    assert archives.Archive(file, "it").names == ["data"]


@pytest.mark.parametrize("depth", [capturing.MOST_DEPTH, capturing.MOST_DEPTH + 1])
def test_outputs_nested_as_deep_as_are_taken_apart_and_deeper(depth: int) -> None:
    output: object = torch.ones(2)
    for _ in range(depth):
        output = [output]
    ((place, inner),) = capturing._items(output, "")
    assert place == ".".join("0" * capturing.MOST_DEPTH)
    assert isinstance(inner, torch.Tensor) is (depth == capturing.MOST_DEPTH)


@pytest.mark.parametrize("more", [0, -1])
def test_exports_whose_weights_are_in_the_model_and_in_a_file(
    more: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gigabyte takes long: 2,000 bytes stand for it."""
    assert exporting.LARGEST == 1_500_000_000
    monkeypatch.setattr(exporting, "LARGEST", 2000 + more)
    network = Network(torch.nn.Linear(10, 50, bias=False).eval(), (torch.ones(2, 10),))
    exporting.export(network, tmp_path / "m.onnx")
    assert len(list(tmp_path.iterdir())) == (2 if more else 1)


def test_inputs_as_large_as_are_made_up_and_larger() -> None:
    most = inputs.MOST_ELEMENTS
    assert inputs.parse_input(f"{most}").shape == (most,)
    with pytest.raises(UsageError, match=f"that is {most + 1:,} numbers; give smaller sizes"):
        inputs.parse_input(f"{most + 1}")


@pytest.mark.parametrize("length", [WORDS, WORDS + 1])
def test_words_of_a_failing_model_as_long_as_are_shown_and_longer(length: int) -> None:
    with pytest.raises(UsageError) as caught, running():
        raise RuntimeError("x" * length)
    assert str(caught.value).count("x") == WORDS + "the model fails on these inputs".count("x")
    assert str(caught.value).endswith("...") is (length > WORDS)
